using System.Net.Security;
using System.Security.Cryptography.X509Certificates;
using Microsoft.Extensions.Logging;
using Scissorhands.Messaging.Control;
using Scissorhands.Planning;

namespace Scissorhands.Coordinator.Hosting;

/// <summary>The certificate that HTTPS is served with. Where its files change, connections made from then on get the new one.</summary>
public sealed partial class HttpsCertificate
{
    private const string Setting = "--http-cert";
    private readonly Lock _gate = new();
    private readonly string _file;
    private readonly string? _key;
    private (DateTime File, DateTime Key) _written;
    private SslStreamCertificateContext _current;

    /// <summary>Reads it.</summary>
    /// <param name="file">The certificate (PEM), and after it those between it and its authority.</param>
    /// <param name="key">Its private key (PEM, not encrypted); null where the same file holds it.</param>
    /// <exception cref="InputException">They cannot be read, or are not of each other; names the files.</exception>
    public HttpsCertificate(string file, string? key)
    {
        (_file, _key) = (file, key);
        _written = Written();
        _current = Read();
    }

    /// <summary>The certificate as its files hold it now; where they cannot be read, as they held it last.</summary>
    /// <param name="logger">Is told of a change.</param>
    internal SslStreamCertificateContext Current(ILogger logger)
    {
        lock (_gate)
        {
            var written = Written();
            if (written == _written)
            {
                return _current;
            }

            // Also where it cannot be read: it is tried again when the files change again, not with every connection.
            _written = written;
            try
            {
                _current = Read();
                LogRead(logger, _file);
            }
            catch (InputException e)
            {
                LogKept(logger, e.Message);
            }

            return _current;
        }
    }

    private (DateTime File, DateTime Key) Written() => (Written(_file), Written(_key ?? _file));

    // A mounted secret is a link to a link, of which only the one in the middle is exchanged.
    private static DateTime Written(string file) => !File.Exists(file) ? default : (File.ResolveLinkTarget(file, returnFinalTarget: true) ?? new FileInfo(file)).LastWriteTimeUtc;

    private SslStreamCertificateContext Read() =>
        SslStreamCertificateContext.Create(PemFiles.ReadOwn(Setting, _file, _key), PemFiles.ReadAuthorities(Setting, _file), offline: true);

    [LoggerMessage(LogLevel.Information, "HTTPS is served with the certificate that {File} holds now")]
    private static partial void LogRead(ILogger logger, string file);

    [LoggerMessage(LogLevel.Warning, "HTTPS is served with the certificate from before: {Reason}")]
    private static partial void LogKept(ILogger logger, string reason);
}
