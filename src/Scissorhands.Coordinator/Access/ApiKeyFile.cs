using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Scissorhands.Planning;

namespace Scissorhands.Coordinator.Access;

/// <summary>The callers' keys as their file holds them: where it changes, the next call meets the new ones.</summary>
public sealed partial class ApiKeyFile
{
    private readonly Lock _gate = new();
    private readonly string _path;
    private ILogger _logger = NullLogger.Instance;
    private volatile Look _look;
    private volatile ApiKeys _current;
    private string? _told;

    /// <summary>Reads the file.</summary>
    /// <param name="path">The file.</param>
    /// <exception cref="InputException">As of <see cref="ApiKeys.Read"/>.</exception>
    public ApiKeyFile(string path)
    {
        _path = path;

        // Before it is read: what is written meanwhile is then found by the next look.
        _look = Look.At(path);
        _current = ApiKeys.Read(path);
    }

    /// <summary>All the keys that the file holds now; where it is not in order, those that it held before.</summary>
    internal ApiKeys Current
    {
        get
        {
            // One reads, and the others go on with what there is.
            if (Look.At(_path) != _look && _gate.TryEnter())
            {
                try
                {
                    Read();
                }
                finally
                {
                    _gate.Exit();
                }
            }

            return _current;
        }
    }

    /// <summary>Tells changes to a log from now on.</summary>
    /// <param name="logger">The log.</param>
    internal void LogTo(ILogger logger) => _logger = logger;

    private void Read()
    {
        var look = Look.At(_path);
        try
        {
            _current = ApiKeys.Read(_path);
            _look = look;
            _told = null;
            LogRead(_logger, _path);
        }
        catch (InputException e)
        {
            // What is not in order is read again when it changes again; what cannot be read with every call, as that may pass.
            _look = e.InnerException is null ? look : _look;
            if (e.Message != _told)
            {
                _told = e.Message;
                LogKept(_logger, e.Message);
            }
        }
    }

    /// <summary>What tells a changed file, without reading it.</summary>
    private sealed record Look(DateTime Written, long Length)
    {
        private static readonly Look Nothing = new(default, -1);

        // Of what the path leads to: a mounted secret is a link to a link, of which only the one in the middle is exchanged.
        public static Look At(string path)
        {
            try
            {
                using var file = File.OpenHandle(path, FileMode.Open, FileAccess.Read, ApiKeys.Sharing);
                return new Look(File.GetLastWriteTimeUtc(file), RandomAccess.GetLength(file));
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                return Nothing;
            }
        }
    }

    [LoggerMessage(LogLevel.Information, "callers' keys are those that {File} holds now")]
    private static partial void LogRead(ILogger logger, string file);

    [LoggerMessage(LogLevel.Warning, "callers' keys are those from before: {Reason}")]
    private static partial void LogKept(ILogger logger, string reason);
}
