using Scissorhands.Planning;

namespace Scissorhands.Data.Sources;

/// <summary>Turns what goes wrong while the user's files are read into what the user can act on.</summary>
internal static class SourceFile
{
    /// <summary>Reads a file or folder.</summary>
    /// <exception cref="InputException">It cannot be read: names the path.</exception>
    public static T Read<T>(string path, Func<T> read)
    {
        try
        {
            return read();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new InputException($"{path}: cannot be read ({e.Message})", e);
        }
    }

    /// <summary>
    /// A parallel loop that fails as a serial one does: with one of the faults themselves, input faults before others.
    /// </summary>
    public static void ForEach(int count, Action<int> body, CancellationToken cancellationToken)
    {
        try
        {
            Parallel.For(0, count, new ParallelOptions { CancellationToken = cancellationToken, MaxDegreeOfParallelism = Environment.ProcessorCount }, body);
        }
        catch (AggregateException e)
        {
            var faults = e.Flatten().InnerExceptions;
            if (faults.OfType<InputException>().FirstOrDefault() is { } fault)
            {
                throw new InputException(fault.Message, e);
            }

            System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(faults[0]);
        }
    }
}
