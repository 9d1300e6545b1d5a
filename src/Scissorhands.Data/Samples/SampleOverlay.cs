namespace Scissorhands.Data.Samples;

/// <summary>
/// What a run takes differently than the data has it, so that it works on the same samples whether or not their rows have
/// been erased there.
/// </summary>
/// <param name="Quarantine">File with copies of samples (<see cref="Scissorhands.Data.Quarantine.SampleCopies"/>): they are taken from there, after all others; null for none.</param>
/// <param name="Withheld">Ids that are left out, as if they were not in the data.</param>
public sealed record SampleOverlay(string? Quarantine, IReadOnlyCollection<string> Withheld)
{
    /// <summary>The data as it is.</summary>
    public static SampleOverlay None { get; } = new(null, []);
}
