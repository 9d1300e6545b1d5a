namespace Scissorhands.Grains.Store;

/// <summary>An event to be stored with a run.</summary>
/// <param name="Time">When it happened.</param>
/// <param name="Name">What happened.</param>
/// <param name="Fields">More about it, as JSON.</param>
public sealed record NewEvent(DateTimeOffset Time, string Name, string? Fields);

/// <summary>An event of a run.</summary>
/// <param name="RunId">The run.</param>
/// <param name="Sequence">Its number within the run, from 1 without gaps.</param>
/// <param name="Time">When it happened.</param>
/// <param name="Name">What happened.</param>
/// <param name="Fields">More about it, as JSON.</param>
public sealed record StoredEvent(string RunId, long Sequence, DateTimeOffset Time, string Name, string? Fields);
