using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Scissorhands.Messaging.Control;

/// <summary>Whether a certificate comes from authorities that were named.</summary>
public static class CertificateTrust
{
    /// <summary>What certificates of servers are for.</summary>
    internal const string ServerUse = "1.3.6.1.5.5.7.3.1";

    /// <summary>
    /// Certificates are believed that come from the authorities named, and no others. Revocation is not looked at, and nothing is
    /// fetched: a certificate that is shown names addresses of its own choice.
    /// </summary>
    /// <param name="authorities">The authorities.</param>
    /// <returns>A policy of the caller's own.</returns>
    public static X509ChainPolicy Policy(X509Certificate2Collection authorities)
    {
        ArgumentNullException.ThrowIfNull(authorities);
        var policy = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck, DisableCertificateDownloads = true };
        policy.CustomTrustStore.AddRange(authorities);
        return policy;
    }

    /// <summary>Judges a certificate. Revocation is not looked at.</summary>
    /// <param name="shown">The certificate.</param>
    /// <param name="sent">What the other side has sent with it; null for nothing.</param>
    /// <param name="authorities">The only authorities that are believed.</param>
    /// <param name="use">What the certificate has to be for, as an object identifier; null for anything.</param>
    /// <returns>Why it does not hold; null where it does.</returns>
    public static string? Fault(X509Certificate2 shown, X509Chain? sent, X509Certificate2Collection authorities, string? use)
    {
        using var own = new X509Chain { ChainPolicy = Policy(authorities) };
        if (use is not null)
        {
            own.ChainPolicy.ApplicationPolicy.Add(new Oid(use));
        }

        foreach (var element in sent?.ChainElements ?? Enumerable.Empty<X509ChainElement>())
        {
            own.ChainPolicy.ExtraStore.Add(element.Certificate);
        }

        return own.Build(shown) ? null : string.Join(", ", own.ChainStatus.Select(static status => status.Status).Distinct());
    }
}
