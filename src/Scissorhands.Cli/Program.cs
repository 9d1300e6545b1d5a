using System.CommandLine;
using System.CommandLine.Help;
using Scissorhands.Cli.Commands;
using Scissorhands.Planning;

var time = TimeProvider.System;

// Not a RootCommand, whose name in usages is the file's.
var root = new Command("scissorhands", "Removes the influence of deleted training samples from a trained model.")
{
    new HelpOption(),
    new VersionOption(),
    RunCommand.Create(time),
    EvaluateCommand.Create(time),
    DataCommand.Create(time),
    ReportCommand.Create(),
    VerifyCommand.Create(time),
    DemoCommand.Create(time),
    DoctorCommand.Create(),
    CoordinatorCommand.Create(),
    KeyCommand.Create(),
    WorkerCommand.Create(),
};
foreach (var command in (Command[])[.. ClusterCommands.Create(time), .. DeletionCommands.Create(time)])
{
    root.Add(command);
}

var parsed = root.Parse(args);
if (parsed.Errors.Count > 0)
{
    // What was mistyped says more than what is missing because of it.
    var mistyped = parsed.UnmatchedTokens is [var first, ..] ? first : null;
    var error = parsed.Errors.FirstOrDefault(e => mistyped is not null && e.Message.Contains($"'{mistyped}'", StringComparison.Ordinal)) ?? parsed.Errors[0];
    await Console.Error.WriteLineAsync($"{error.Message} (see --help)");
    return ExitCodes.BadInput;
}

try
{
    return await parsed.InvokeAsync(new InvocationConfiguration { EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = null });
}
catch (Exception e)
{
    return Failure.Explain(e);
}
