using System.Reflection;

namespace Scissorhands.Planning;

/// <summary>Version of a program, which coordinator and workers must share.</summary>
/// <param name="Text">The version.</param>
public sealed record BuildVersion(string Text)
{
    /// <summary>The version of the running program.</summary>
    /// <returns>Version and, where the build knows it, the commit.</returns>
    public static BuildVersion Own() => new(typeof(BuildVersion).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "unknown");
}
