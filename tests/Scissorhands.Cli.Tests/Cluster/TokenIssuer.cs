using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Scissorhands.Cli.Tests.Cluster;

/// <summary>An issuer of tokens on this machine: discovery document, key set, and tokens of any kind, good or bad.</summary>
public sealed class TokenIssuer : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly ECDsa _ec = ECDsa.Create(ECCurve.NamedCurves.nistP256);
    private readonly RSA _rsa = RSA.Create(2048);

    private TokenIssuer(WebApplication app)
    {
        _app = app;
    }

    /// <summary>Where it is, which is also its name.</summary>
    public string Address => _app.Urls.Single();

    /// <summary>Whether it answers.</summary>
    public bool Away { get; set; }

    public static async Task<TokenIssuer> StartAsync(CancellationToken ct)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        var issuer = new TokenIssuer(builder.Build());
        issuer._app.MapGet("/.well-known/openid-configuration", () => issuer.Away ? Results.StatusCode(503) : Results.Json(new { issuer = issuer.Address, jwks_uri = issuer.Address + "/keys" }));
        issuer._app.MapGet("/keys", () => Results.Json(new { keys = issuer.Keys() }));
        await issuer._app.StartAsync(ct);
        return issuer;
    }

    /// <summary>The claims of a token that is in order.</summary>
    public JsonObject Claims(string subject, string scope)
    {
        var now = TimeProvider.System.GetUtcNow().ToUnixTimeSeconds();
        return new JsonObject { ["iss"] = Address, ["aud"] = "scissorhands", ["sub"] = subject, ["scope"] = scope, ["org"] = "a", ["iat"] = now - 10, ["exp"] = now + 3600 };
    }

    /// <summary>A token.</summary>
    /// <param name="claims">What it says.</param>
    /// <param name="algorithm">ES256, RS256, none, or HS256 with the public key as its secret.</param>
    public string Token(JsonObject claims, string algorithm = "ES256")
    {
        var header = new JsonObject { ["alg"] = algorithm, ["typ"] = "JWT", ["kid"] = algorithm[..1] };
        var signed = $"{Text(header)}.{Text(claims)}";
        var bytes = Encoding.ASCII.GetBytes(signed);
        byte[] signature = algorithm switch
        {
            "ES256" => _ec.SignData(bytes, HashAlgorithmName.SHA256),
            "RS256" => _rsa.SignData(bytes, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1),
            "HS256" => HMACSHA256.HashData(_rsa.ExportSubjectPublicKeyInfo(), bytes),
            _ => [],
        };
        return $"{signed}.{Base64Url.EncodeToString(signature)}";
    }

    public async ValueTask DisposeAsync()
    {
        await _app.DisposeAsync();
        _ec.Dispose();
        _rsa.Dispose();
    }

    private object[] Keys()
    {
        var (point, modulus) = (_ec.ExportParameters(false).Q, _rsa.ExportParameters(false));
        return
        [
            new { kty = "EC", use = "sig", kid = "E", crv = "P-256", x = Base64Url.EncodeToString(point.X), y = Base64Url.EncodeToString(point.Y) },
            new { kty = "RSA", use = "sig", kid = "R", n = Base64Url.EncodeToString(modulus.Modulus), e = Base64Url.EncodeToString(modulus.Exponent) },
        ];
    }

    private static string Text(JsonObject json) => Base64Url.EncodeToString(Encoding.UTF8.GetBytes(json.ToJsonString()));
}
