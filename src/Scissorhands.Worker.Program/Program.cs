using Scissorhands.CommandLine;
using Scissorhands.Worker.Commands;

var program = WorkerVerb.Create("scissorhands-worker");
program.Add(HealthVerb.Create(TimeProvider.System));
return await CommandProgram.RunAsync(program, args);
