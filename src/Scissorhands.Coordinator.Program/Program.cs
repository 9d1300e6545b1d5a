using Scissorhands.CommandLine;
using Scissorhands.Coordinator.Commands;

var program = CoordinatorVerb.Create("scissorhands-coordinator");
program.Add(HealthVerb.Create(TimeProvider.System));
program.Add(KeyVerb.Create());
return await CommandProgram.RunAsync(program, args);
