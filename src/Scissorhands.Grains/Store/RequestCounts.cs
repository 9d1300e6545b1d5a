using Scissorhands.Deletion.Requests;

namespace Scissorhands.Grains.Store;

/// <summary>A tenant's requests at one moment.</summary>
/// <param name="States">How many are in each state.</param>
/// <param name="AtRisk">Open ones with less time left than their model's slack; those on hold must wait, and are not counted.</param>
/// <param name="Missed">Open ones whose deadline has passed, without those on hold.</param>
/// <param name="OldestAt">When the oldest of the open ones was accepted (UTC); null where none is open.</param>
/// <param name="Due">The open ones that are due first, by deadline.</param>
public sealed record RequestCounts(IReadOnlyDictionary<RequestState, int> States, int AtRisk, int Missed, DateTimeOffset? OldestAt, IReadOnlyList<DeletionRequest> Due);
