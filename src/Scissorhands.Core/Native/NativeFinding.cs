namespace Scissorhands.Core.Native;

/// <summary>One thing that was looked at on this machine.</summary>
/// <param name="Name">What it is, in a word or two.</param>
/// <param name="Ok">Whether a run can work with it.</param>
/// <param name="Text">What was found; where it is at fault, also the remedy.</param>
public sealed record NativeFinding(string Name, bool Ok, string Text);
