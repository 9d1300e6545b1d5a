using System.Security.Cryptography.X509Certificates;
using Orleans.Connections.Security;
using Orleans.Hosting;
using Scissorhands.Messaging.Control;
using Scissorhands.Planning;

namespace Scissorhands.Coordinator.Hosting;

/// <summary>
/// What coordinators know each other by: each shows a certificate, calling and called, and believes those of one authority.
/// They call each other by addresses, which certificates need not name: whoever has one of this authority is a coordinator.
/// </summary>
public sealed class SiloCertificate
{
    /// <summary>The option that names the authority.</summary>
    public const string AuthoritySetting = "--silo-ca";

    /// <summary>The option that names the certificate.</summary>
    public const string CertificateSetting = "--silo-cert";

    /// <summary>The option that names its key.</summary>
    public const string KeySetting = "--silo-key";

    // What is said to be called; nobody checks it.
    private const string Name = "scissorhands";
    private readonly X509Certificate2Collection _authorities;
    private readonly X509Certificate2 _own;

    private SiloCertificate(X509Certificate2Collection authorities, X509Certificate2 own) => (_authorities, _own) = (authorities, own);

    /// <summary>Reads the files.</summary>
    /// <param name="authority">The authority (PEM), which must give certificates to coordinators alone.</param>
    /// <param name="certificate">This coordinator's certificate (PEM).</param>
    /// <param name="key">Its private key (PEM, not encrypted); null where the same file holds it.</param>
    /// <returns>What they hold; null where none is named.</returns>
    /// <exception cref="InputException">One is named without the other, or a file cannot be read; names option and file.</exception>
    public static SiloCertificate? Read(string? authority, string? certificate, string? key)
    {
        if (authority is null && certificate is null && key is null)
        {
            return null;
        }

        if (authority is null || certificate is null)
        {
            throw new InputException($"{(authority is null ? AuthoritySetting : CertificateSetting)}: missing; {AuthoritySetting} and {CertificateSetting} go together, for each coordinator shows the others a certificate and believes those of the authority");
        }

        return new SiloCertificate(PemFiles.ReadAuthorities(AuthoritySetting, authority), PemFiles.ReadOwn(CertificateSetting, certificate, key));
    }

    /// <summary>Encrypts what coordinators, and clients of the cluster, say to this one and it to them.</summary>
    internal void ApplyTo(ISiloBuilder silo) => silo.UseTls(_own, tls =>
    {
        tls.RemoteCertificateMode = RemoteCertificateMode.RequireCertificate;
        tls.ClientCertificateMode = RemoteCertificateMode.RequireCertificate;
        tls.RemoteCertificateValidation = (certificate, chain, _) => CertificateTrust.Fault(certificate, chain, _authorities, null) is null;
        tls.OnAuthenticateAsClient = static (_, client) => client.TargetHost = Name;
    });
}
