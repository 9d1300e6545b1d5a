using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using Scissorhands.Planning;

namespace Scissorhands.Deletion.Requests;

/// <summary>
/// What a caller asks for, through whichever door. One of <c>model</c> and <c>dataSet</c>, and at least one of <c>ids</c>,
/// <c>subjects</c> and <c>file</c>.
/// </summary>
public sealed record DeletionSubmission
{
    /// <summary>Most ids and subjects within a body; longer lists are files.</summary>
    public const int MostInline = 100_000;

    /// <summary>Longest id or subject, in UTF-8 bytes.</summary>
    public const int LongestId = 1024;

    /// <summary>Longest id of a request, in characters.</summary>
    public const int LongestRequestId = 200;

    private static readonly JsonSerializerOptions Options = new(JsonSerializerDefaults.Web)
    {
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
        AllowDuplicateProperties = false,
        MaxDepth = 8,
        RespectNullableAnnotations = true,
        Converters = { new UtcUnlessStatedConverter() },
    };

    /// <summary>The caller's own id of the request: the same again is the same request.</summary>
    public string? RequestId { get; init; }

    /// <summary>The model that is to forget.</summary>
    public string? Model { get; init; }

    /// <summary>The data set of whose models each is to forget.</summary>
    public string? DataSet { get; init; }

    /// <summary>Samples by id.</summary>
    public IReadOnlyList<string> Ids { get; init; } = [];

    /// <summary>People, all of whose samples are meant.</summary>
    public IReadOnlyList<string> Subjects { get; init; } = [];

    /// <summary>A forget list on shared storage, under one of the service's roots; for long lists.</summary>
    public string? File { get; init; }

    /// <summary>When the person asked (UTC). Default: now.</summary>
    public DateTimeOffset? ReceivedAt { get; init; }

    /// <summary>When it has to be done (UTC). Default: 30 days after <c>receivedAt</c>.</summary>
    public DateTimeOffset? Deadline { get; init; }

    /// <summary>Whether the samples must be kept for now: the request waits until the hold is lifted.</summary>
    public bool LegalHold { get; init; }

    /// <summary>Reads a submission from JSON and checks what can be checked without the store.</summary>
    /// <param name="json">UTF-8.</param>
    /// <returns>The submission.</returns>
    /// <exception cref="InputException">Not JSON, unknown keys, missing or overlong values; names the key, never shows ids.</exception>
    public static DeletionSubmission Parse(ReadOnlySpan<byte> json)
    {
        DeletionSubmission? submission;
        try
        {
            submission = JsonSerializer.Deserialize<DeletionSubmission>(json, Options);
        }
        catch (JsonException e)
        {
            // The exception's own message may quote what was sent.
            throw new InputException(SubmissionFault.Find(json) ?? $"the request: not the JSON that is expected, line {e.LineNumber + 1}");
        }
        catch (InvalidOperationException)
        {
            throw new InputException("the request: holds text that is none");
        }

        (submission ?? throw new InputException("the request: is null")).Check();
        return submission;
    }

    /// <summary>
    /// SHA-256 (lower-case hex) of what is asked for: two bodies that mean the same have the same, whatever their layout.
    /// </summary>
    /// <returns>The digest.</returns>
    public string Digest() => Convert.ToHexStringLower(SHA256.HashData(JsonSerializer.SerializeToUtf8Bytes(this, Options)));

    /// <summary>The service's id of a caller's request: 32 hex digits, the same for the same caller and request.</summary>
    /// <param name="tenant">Whose callers these are: two tenants may give the same name.</param>
    /// <param name="principal">Who asks, as the door has authenticated it.</param>
    /// <param name="requestId">The caller's own id.</param>
    /// <param name="model">The model: a request for a data set is one request a model.</param>
    /// <returns>The id.</returns>
    public static string IdOf(string tenant, string principal, string requestId, string model)
    {
        ArgumentNullException.ThrowIfNull(tenant);
        ArgumentNullException.ThrowIfNull(principal);
        ArgumentNullException.ThrowIfNull(requestId);
        ArgumentNullException.ThrowIfNull(model);
        var parts = string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{tenant.Length}:{tenant}{principal.Length}:{principal}{requestId.Length}:{requestId}{model}");
        return Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(parts)))[..32];
    }

    private void Check()
    {
        if (RequestId is null or "" || RequestId.Length > LongestRequestId || RequestId.Any(char.IsControl))
        {
            throw new InputException($"requestId: must be 1 to {LongestRequestId} characters, none of them a control character");
        }

        if (Model is null == DataSet is null)
        {
            throw new InputException("model, dataSet: exactly one of them must be given");
        }

        ModelName.Check("model", Model);
        ModelName.Check("dataSet", DataSet);
        if (Ids.Count == 0 && Subjects.Count == 0 && File is null)
        {
            throw new InputException("ids, subjects, file: at least one of them must be given");
        }

        if (Ids.Count + Subjects.Count > MostInline)
        {
            throw new InputException($"ids, subjects: {Ids.Count + Subjects.Count} of them, at most {MostInline} fit in a request; name a file instead");
        }

        CheckNames("ids", Ids);
        CheckNames("subjects", Subjects);
        if (Deadline <= ReceivedAt)
        {
            throw new InputException("deadline: is not after receivedAt");
        }
    }

    private static void CheckNames(string key, IReadOnlyList<string> names)
    {
        for (var i = 0; i < names.Count; i++)
        {
            // A name with a line break would be two lines of a forget list.
            if (names[i] is null or "" || names[i].Any(char.IsControl) || Encoding.UTF8.GetByteCount(names[i]) > LongestId || names[i] != names[i].Trim())
            {
                throw new InputException($"{key}[{i}]: must be 1 to {LongestId} bytes without control characters and without spaces around");
            }
        }
    }
}
