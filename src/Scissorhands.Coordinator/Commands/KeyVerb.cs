using System.CommandLine;
using Scissorhands.CommandLine;
using Scissorhands.Coordinator.Access;
using Scissorhands.Planning;

namespace Scissorhands.Coordinator.Commands;

/// <summary><c>scissorhands key</c>: makes a caller's key for the coordinator's interface.</summary>
public static class KeyVerb
{
    /// <summary>Makes the command.</summary>
    /// <returns>The command.</returns>
    public static Command Create()
    {
        var name = new Argument<string>("NAME") { Description = "Who will use it: the principal of its requests" };
        var keys = new Option<string>("--keys") { Description = "File of keys that the line is added to: what the coordinator is given. It holds no key, only hashes", HelpName = "FILE", Required = true };
        var scopes = new Option<string[]>("--scope") { Description = $"What it may do: {string.Join(", ", AccessScopes.All)}; may be given more than once", HelpName = "SCOPE", Required = true, AllowMultipleArgumentsPerToken = true };
        var tenant = new Option<string>("--tenant") { Description = "Whose requests it sees, and whose audit chain they are written to", HelpName = "NAME", DefaultValueFactory = static _ => "default" };
        var command = new Command("key", "Make a key for a caller of the coordinator; it is shown once") { name, keys, scopes, tenant };
        command.SetAction(parsed =>
        {
            var given = parsed.GetRequiredValue(scopes).SelectMany(static s => s.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)).Distinct(StringComparer.Ordinal).ToArray();
            if (given.Except(AccessScopes.All, StringComparer.Ordinal).FirstOrDefault() is { } unknown)
            {
                throw new InputException($"--scope {unknown}: must be one of {string.Join(", ", AccessScopes.All)}");
            }

            // A line without a name would keep the coordinator from starting, and others' keys from being taken out.
            foreach (var (option, value) in ((string, string)[])[("NAME", parsed.GetRequiredValue(name)), ("--tenant", parsed.GetRequiredValue(tenant))])
            {
                if (string.IsNullOrWhiteSpace(value) || value.Trim() != value || value.Any(char.IsControl))
                {
                    throw new InputException($"{option} '{value.ReplaceLineEndings(" ")}': must hold more than blanks, and none at its ends");
                }
            }

            if (parsed.GetRequiredValue(name).Contains(OidcOptions.PrincipalSeparator, StringComparison.Ordinal))
            {
                throw new InputException($"NAME {parsed.GetRequiredValue(name)}: must not hold '{OidcOptions.PrincipalSeparator}', which is in the names of callers with tokens");
            }

            var file = parsed.GetRequiredValue(keys);
            var (key, line) = ApiKeys.New(parsed.GetRequiredValue(name), parsed.GetRequiredValue(tenant), given);
            if (File.Exists(file) && ApiKeys.TenantIn(file, parsed.GetRequiredValue(name)) is { } former)
            {
                if (former != parsed.GetRequiredValue(tenant))
                {
                    throw new InputException($"--tenant {parsed.GetRequiredValue(tenant)}: {parsed.GetRequiredValue(name)} is a caller of tenant {former} in {file}; a name is of one tenant only");
                }

                Console.Error.WriteLine($"{file}: {parsed.GetRequiredValue(name)} has a key already, which stays good until its line is taken out; this is one more");
            }

            try
            {
                File.AppendAllText(file, line + "\n");
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                throw new InputException($"--keys {file}: cannot be written ({e.Message})", e);
            }

            Console.WriteLine(key);
            return ExitCodes.Done;
        });
        return command;
    }
}
