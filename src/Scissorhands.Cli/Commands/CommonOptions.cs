using System.CommandLine;
using System.Text.Json.Nodes;
using Scissorhands.CommandLine.Configuration;
using Scissorhands.Planning.Configuration;

namespace Scissorhands.Cli.Commands;

/// <summary>Options that several verbs share.</summary>
internal sealed class CommonOptions
{
    public Option<string> Model { get; } = new("--model") { Description = "Trained model: TorchScript (.pt), or a .safetensors state dict of a built-in architecture", HelpName = "FILE", Required = true };

    public Option<string?> Architecture { get; } = new("--architecture") { Description = "Architecture of a .safetensors model whose metadata does not name it, such as resnet18", HelpName = "NAME" };

    public Option<string> Data { get; } = new("--data") { Description = "Training data: a folder, a file, or a quoted glob such as 'data/train-*.tar'", HelpName = "DIR", Required = true };

    public Option<string> Forget { get; } = new("--forget") { Description = "Ids to forget, one a line, or JSON lines with \"id\" or \"subject\"", HelpName = "FILE", Required = true };

    public Option<string?> Forgotten { get; } = new("--forgotten") { Description = "Ids that earlier runs of this model have forgotten: left out of everything", HelpName = "FILE" };

    public Option<string?> Quarantine { get; } = new("--quarantine") { Description = "Copies of samples, as the service keeps them of deletion requests: taken from there, whether or not the data still has them", HelpName = "FILE" };

    public Option<string?> Withheld { get; } = new("--withheld") { Description = "Ids to leave out of everything, as if they were not in the data", HelpName = "FILE" };

    public Option<bool> IgnoreUnknown { get; } = new("--ignore-unknown") { Description = "Leave out ids that are not in the data" };

    public Option<string[]> Config { get; } = new("--config") { Description = "Configuration file (YAML or JSON) or the name of a preset; later ones override", HelpName = "FILE", AllowMultipleArgumentsPerToken = false };

    public Option<string[]> Set { get; } = new("--set") { Description = "One configuration key, such as trim.fraction=0.03; overrides --config", HelpName = "KEY=VALUE", AllowMultipleArgumentsPerToken = false };

    public Option<int> Workers { get; } = new("--workers") { Description = "Workers, each with a compute thread and a replica; changes how long the run takes, never its result", HelpName = "N", DefaultValueFactory = _ => 1 };

    /// <summary>The configuration that files and settings make, checked.</summary>
    public static RunConfiguration Resolve(IEnumerable<string>? files, IEnumerable<string>? settings)
    {
        IEnumerable<(string, JsonNode)> layers = [.. (files ?? []).Select(YamlLayers.Read)];
        var configuration = ConfigurationBinder.Bind(layers, settings ?? []);
        ConfigurationValidator.Validate(configuration, ["classification"]);
        return configuration;
    }
}
