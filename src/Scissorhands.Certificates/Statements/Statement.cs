using System.Text.Json.Serialization;

namespace Scissorhands.Certificates.Statements;

/// <summary>An in-toto statement (v1) whose predicate says how its subjects came to forget.</summary>
public sealed record Statement
{
    /// <summary>The <c>_type</c> of every statement.</summary>
    public const string StatementType = "https://in-toto.io/Statement/v1";

    /// <summary>The type of <see cref="UnlearningPredicate"/>; another version has another one.</summary>
    public const string UnlearningPredicateType = "https://scissorhands.dev/unlearning-certificate/v1";

    /// <summary>Media type of the payload.</summary>
    public const string PayloadType = "application/vnd.in-toto+json";

    /// <summary>Always <see cref="StatementType"/>.</summary>
    [JsonPropertyName("_type")]
    public required string Type { get; init; }

    /// <summary>The files that the certificate is about: the published model, in each of its forms, and the mask.</summary>
    public required IReadOnlyList<Subject> Subject { get; init; }

    /// <summary>Always <see cref="UnlearningPredicateType"/>.</summary>
    public required string PredicateType { get; init; }

    /// <summary>What is certified of them.</summary>
    public required UnlearningPredicate Predicate { get; init; }
}

/// <summary>A file that the certificate is about.</summary>
/// <param name="Name">Its name in the output folder.</param>
/// <param name="Digest">Its digest.</param>
public sealed record Subject(string Name, SubjectDigest Digest);

/// <summary>The digest of a file.</summary>
/// <param name="Sha256">SHA-256, lower-case hexadecimal digits.</param>
public sealed record SubjectDigest(string Sha256);
