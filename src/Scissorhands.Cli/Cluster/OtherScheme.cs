using System.Net.Security;
using System.Net.Sockets;

namespace Scissorhands.Cli.Cluster;

/// <summary>
/// Finds out whether what listens at an address speaks HTTP where HTTPS was expected, or the other way round: the first failure of
/// a call does not tell, and its words would send the caller looking for a certificate, or waiting.
/// </summary>
internal static class OtherScheme
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(3);

    /// <summary>Asks with the other scheme; no key is sent.</summary>
    /// <param name="address">The address as it was named.</param>
    /// <param name="failure">How the call there failed.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <returns>The scheme that is spoken there; null where that is the one that was named, or cannot be told.</returns>
    public static async Task<string?> AnsweringAsync(Uri address, HttpRequestException failure, CancellationToken cancellationToken)
    {
        if (failure.HttpRequestError is HttpRequestError.ConnectionError or HttpRequestError.NameResolutionError)
        {
            return null;
        }

        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(Patience);
        try
        {
            return address.Scheme == Uri.UriSchemeHttps
                ? await AnswersPlainlyAsync(address, limit.Token) ? Uri.UriSchemeHttp : null
                : await IsEncryptedAsync(address, limit.Token) ? Uri.UriSchemeHttps : null;
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return null;
        }
    }

    private static async Task<bool> AnswersPlainlyAsync(Uri address, CancellationToken cancellationToken)
    {
        using var http = new HttpClient();
        try
        {
            using var answer = await http.GetAsync(new UriBuilder(address) { Scheme = Uri.UriSchemeHttp, Path = "/healthz" }.Uri, cancellationToken);

            // A server that speaks HTTPS may say so in plain words: with this status.
            return answer.StatusCode != System.Net.HttpStatusCode.BadRequest;
        }
        catch (HttpRequestException)
        {
            return false;
        }
    }

    private static async Task<bool> IsEncryptedAsync(Uri address, CancellationToken cancellationToken)
    {
        var hasShownCertificate = false;
        try
        {
            using var client = new TcpClient();
            await client.ConnectAsync(address.DnsSafeHost, address.Port, cancellationToken);
            await using var stream = new SslStream(client.GetStream(), leaveInnerStreamOpen: false);

            // Whoever shows one speaks TLS. Nobody is believed for it: the connection ends here.
            await stream.AuthenticateAsClientAsync(new SslClientAuthenticationOptions { TargetHost = address.DnsSafeHost, RemoteCertificateValidationCallback = (_, _, _, _) => !(hasShownCertificate = true) }, cancellationToken);
        }
        catch (Exception e) when (e is System.Security.Authentication.AuthenticationException or IOException or SocketException)
        {
            return hasShownCertificate;
        }

        return hasShownCertificate;
    }
}
