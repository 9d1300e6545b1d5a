using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using MassTransit;
using RabbitMQ.Client;
using Scissorhands.Planning;

namespace Scissorhands.Messaging.Control;

/// <summary>
/// How a connection to a broker is encrypted: what the address says after its question mark, by the names that RabbitMQ has
/// given these settings. All that is known of the broker is in its address, so that no client of it can be forgotten.
/// </summary>
internal sealed class BrokerTls
{
    private const string Authorities = "cacertfile";
    private const string Certificate = "certfile";
    private const string Key = "keyfile";
    private const string Name = "server_name_indication";
    private static readonly string[] Known = [Authorities, Certificate, Key, Name];
    private readonly string? _authoritiesFile;
    private readonly X509Certificate2Collection? _authorities;
    private readonly X509Certificate2? _own;
    private readonly string _server;

    private BrokerTls(string server, string? authoritiesFile, X509Certificate2Collection? authorities, X509Certificate2? own)
    {
        (_server, _authoritiesFile, _authorities, _own) = (server, authoritiesFile, authorities, own);
    }

    /// <summary>The settings of an address; null where it is not encrypted.</summary>
    /// <param name="broker">The broker.</param>
    /// <exception cref="InputException">A setting is unknown, or its file cannot be read; the message holds no credentials.</exception>
    public static BrokerTls? Of(Uri broker)
    {
        var settings = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var part in broker.Query.TrimStart('?').Split('&', StringSplitOptions.RemoveEmptyEntries))
        {
            var (key, value) = part.IndexOf('=', StringComparison.Ordinal) is > 0 and var at ? (part[..at], Uri.UnescapeDataString(part[(at + 1)..])) : (part, "");
            if (!Known.Contains(key, StringComparer.Ordinal) || value.Length == 0 || !settings.TryAdd(key, value))
            {
                // Not repeated: it may be the end of a password.
                throw new InputException($"a setting after '?' is none of {string.Join(", ", Known)}, has no value, or is given twice");
            }
        }

        if (broker.Scheme != "amqps")
        {
            return settings.Count == 0 ? null : throw new InputException($"{settings.Keys.First()}: is for amqps:// alone");
        }

        if (settings.ContainsKey(Key) && !settings.ContainsKey(Certificate))
        {
            throw new InputException($"{Key}: its certificate is missing, {Certificate}");
        }

        var authoritiesFile = settings.GetValueOrDefault(Authorities);
        return new BrokerTls(settings.GetValueOrDefault(Name) ?? broker.Host, authoritiesFile, authoritiesFile is null ? null : PemFiles.ReadAuthorities(Authorities, authoritiesFile), settings.TryGetValue(Certificate, out var own) ? PemFiles.ReadOwn(Certificate, own, settings.GetValueOrDefault(Key)) : null);
    }

    /// <summary>Checks the settings of an address.</summary>
    /// <param name="broker">The broker.</param>
    /// <param name="variable">Where the address was given.</param>
    /// <returns>The broker.</returns>
    /// <exception cref="InputException">They are not in order; names the variable and the setting.</exception>
    public static Uri Checked(Uri broker, string variable)
    {
        try
        {
            Of(broker);
            return broker;
        }
        catch (InputException e)
        {
            throw new InputException($"{variable}, {e.Message}", e);
        }
    }

    /// <summary>The settings as the client library takes them.</summary>
    public SslOption Option()
    {
        var option = new SslOption(_server, enabled: true) { CertificateValidationCallback = IsTrusted };
        if (_own is not null)
        {
            option.Certs = new X509CertificateCollection { _own };
        }

        return option;
    }

    /// <summary>The settings as the bus takes them.</summary>
    public void Configure(IRabbitMqSslConfigurator bus)
    {
        bus.ServerName = _server;
        bus.CertificateValidationCallback = IsTrusted;
        if (_own is not null)
        {
            bus.Certificate = _own;
        }
    }

    // Thrown, not answered with false, so that the reason reaches whoever reads the log.
    private bool IsTrusted(object sender, X509Certificate? certificate, X509Chain? chain, SslPolicyErrors errors)
    {
        if (certificate is not X509Certificate2 shown || errors.HasFlag(SslPolicyErrors.RemoteCertificateNotAvailable))
        {
            throw new AuthenticationException("it shows no certificate");
        }

        if (errors.HasFlag(SslPolicyErrors.RemoteCertificateNameMismatch))
        {
            throw new AuthenticationException($"its certificate is not for {_server}; {Name} in the broker's address tells the name where it is another one");
        }

        if (_authorities is null)
        {
            return errors == SslPolicyErrors.None ? true : throw new AuthenticationException($"this machine trusts none of the authorities of its certificate; {Authorities} in the broker's address names the file of those to trust");
        }

        return CertificateTrust.Fault(shown, chain, _authorities, CertificateTrust.ServerUse) is not { } fault ? true : throw new AuthenticationException($"its certificate does not hold against {Authorities} {_authoritiesFile} ({fault})");
    }
}
