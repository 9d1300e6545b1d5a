using System.Collections.Frozen;
using System.Security.Cryptography;
using System.Text;
using Microsoft.Net.Http.Headers;

namespace Scissorhands.Coordinator.Pages;

/// <summary>A file of the pages.</summary>
/// <param name="ContentType">Its media type.</param>
/// <param name="Bytes">Its content.</param>
/// <param name="Tag">Changes with the content.</param>
internal sealed record PageAsset(string ContentType, byte[] Bytes, EntityTagHeaderValue Tag);

/// <summary>The files of the pages, which the program carries within itself. They hold no data of the service.</summary>
internal sealed class PageAssets
{
    /// <summary>The one that browsers are given first.</summary>
    public const string Index = "index.html";

    private const string Prefix = "pages/";

    // The pages ask for a key where one is needed, instead of finding out by a call that is refused.
    private const string AccessMark = "{{access}}";

    private static readonly FrozenDictionary<string, string> ContentTypes = new Dictionary<string, string>(StringComparer.Ordinal)
    {
        [".html"] = "text/html; charset=utf-8",
        [".css"] = "text/css; charset=utf-8",
        [".js"] = "text/javascript; charset=utf-8",
        [".svg"] = "image/svg+xml",
    }.ToFrozenDictionary(StringComparer.Ordinal);

    private readonly FrozenDictionary<string, PageAsset> _assets;

    /// <summary>Reads them.</summary>
    /// <param name="isOpen">Whether callers need no key.</param>
    public PageAssets(bool isOpen)
    {
        var program = typeof(PageAssets).Assembly;
        _assets = program.GetManifestResourceNames().Where(static name => name.StartsWith(Prefix, StringComparison.Ordinal)).ToFrozenDictionary(
            static name => name[Prefix.Length..],
            name =>
            {
                using var stream = program.GetManifestResourceStream(name)!;
                using var reader = new StreamReader(stream, Encoding.UTF8);
                var bytes = Encoding.UTF8.GetBytes(reader.ReadToEnd().Replace(AccessMark, isOpen ? "open" : "key", StringComparison.Ordinal));
                return new PageAsset(ContentTypes[Path.GetExtension(name)], bytes, new EntityTagHeaderValue($"\"{Convert.ToHexStringLower(SHA256.HashData(bytes))[..16]}\""));
            },
            StringComparer.Ordinal);
    }

    /// <summary>Names of the files.</summary>
    public IEnumerable<string> Names => _assets.Keys;

    /// <summary>A file by its name; null where there is none.</summary>
    public PageAsset? Find(string name) => _assets.GetValueOrDefault(name);
}
