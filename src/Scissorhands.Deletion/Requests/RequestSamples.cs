namespace Scissorhands.Deletion.Requests;

/// <summary>Samples of a request.</summary>
/// <param name="Id">The request.</param>
/// <param name="Samples">Ids, each once.</param>
public sealed record RequestSamples(string Id, IReadOnlyList<string> Samples);
