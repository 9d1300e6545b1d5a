namespace Scissorhands.Grains.Store;

/// <summary>Which store it is, and what it holds.</summary>
/// <param name="Name">As it is named to people: host, port and database, or the file.</param>
/// <param name="Installation">Random name that it got when its tables were made, and keeps wherever it goes.</param>
/// <param name="IsNew">Whether this process has made its tables.</param>
/// <param name="Models">Number of models.</param>
/// <param name="Runs">Number of runs, ended ones too.</param>
public sealed record StoreSummary(string Name, string Installation, bool IsNew, int Models, int Runs);
