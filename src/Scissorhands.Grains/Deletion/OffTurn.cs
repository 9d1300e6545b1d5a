namespace Scissorhands.Grains.Deletion;

/// <summary>
/// Long work beside a grain's turns, one piece at a time: a turn waits for it for a moment, and a later one looks again.
/// What callers of the grain want is not to wait for files.
/// </summary>
/// <typeparam name="T">What it comes to.</typeparam>
internal sealed class OffTurn<T>(TimeProvider time)
    where T : class
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(2);
    private string? _key;
    private Task<T>? _work;

    /// <summary>Begins work, or looks after the work of this name that was begun before.</summary>
    /// <param name="key">Names the work; what was begun under another name is waited for first, and what it came to is dropped.</param>
    /// <param name="work">The work, which runs on no grain's turn.</param>
    /// <param name="ct">Ends the wait.</param>
    /// <returns>What it came to; null where it goes on.</returns>
    public async Task<T?> TryAsync(string key, Func<CancellationToken, Task<T>> work, CancellationToken ct)
    {
        if (_work is null)
        {
            _key = key;
            _work = Task.Run(() => work(ct), ct);
        }

        await Task.WhenAny(_work, Task.Delay(Patience, time, ct));
        if (!_work.IsCompleted)
        {
            return null;
        }

        var (done, same) = (_work, _key == key);
        _work = null;
        if (!same)
        {
            // Its fault, if any, concerns nobody any more.
            _ = done.Exception;
            return null;
        }

        return await done;
    }

    /// <summary>Whether work goes on.</summary>
    public bool IsBusy => _work is not null;
}
