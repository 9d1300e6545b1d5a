namespace Scissorhands.Data.Samples;

/// <summary>Progress of preparing a data set (indexing, then decoding into the cache).</summary>
/// <param name="Activity">"indexing" or "decoding".</param>
/// <param name="Done">Samples done.</param>
/// <param name="Total">Samples in all; 0 where not yet known.</param>
public readonly record struct DataProgress(string Activity, int Done, int Total);
