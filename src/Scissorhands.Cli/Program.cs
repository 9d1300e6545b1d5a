using System.CommandLine;
using Scissorhands.Cli.Commands;
using Scissorhands.CommandLine;
using Scissorhands.Coordinator.Commands;
using Scissorhands.Worker.Commands;

var time = TimeProvider.System;
var program = new Command("scissorhands", "Removes the influence of deleted training samples from a trained model.")
{
    RunCommand.Create(time),
    EvaluateCommand.Create(time),
    DataCommand.Create(time),
    ReportCommand.Create(),
    VerifyCommand.Create(time),
    DemoCommand.Create(time),
    DoctorCommand.Create(),
    CoordinatorVerb.Create(),
    KeyVerb.Create(),
    WorkerVerb.Create(),
    HealthVerb.Create(time),
};
foreach (var command in (Command[])[.. ClusterCommands.Create(time), .. DeletionCommands.Create(time)])
{
    program.Add(command);
}

return await CommandProgram.RunAsync(program, args);
