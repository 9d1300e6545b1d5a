namespace Scissorhands.Grains.Store;

/// <summary>A message to leave once the write it belongs to is durable.</summary>
/// <param name="Destination">Where it goes.</param>
/// <param name="Type">What it is.</param>
/// <param name="Body">Its content.</param>
public sealed record OutgoingMessage(string Destination, string Type, string Body);

/// <summary>A message that has not left, or not for certain.</summary>
/// <param name="Id">Its number, never used again.</param>
/// <param name="Destination">Where it goes.</param>
/// <param name="Type">What it is.</param>
/// <param name="Body">Its content.</param>
public sealed record PendingMessage(long Id, string Destination, string Type, string Body);
