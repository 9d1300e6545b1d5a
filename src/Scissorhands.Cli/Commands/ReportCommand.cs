using System.CommandLine;
using Scissorhands.CommandLine;
using Scissorhands.Planning;
using Scissorhands.Reporting;
using Scissorhands.Reporting.Html;
using Scissorhands.Worker.Run;

namespace Scissorhands.Cli.Commands;

/// <summary><c>scissorhands report</c>: shows a finished run again, and writes its HTML anew.</summary>
internal static class ReportCommand
{
    public static Command Create()
    {
        var output = new Argument<string>("DIR") { Description = "Output folder of a run" };
        var command = new Command("report", "Show the report of a finished run and write its HTML anew") { output };
        command.SetAction(parsed =>
        {
            var folder = new RunFolder(parsed.GetRequiredValue(output));
            if (!File.Exists(folder.ReportJsonPath))
            {
                throw new InputException($"{folder.ReportJsonPath}: no such file; the run has not finished, or this is no output folder");
            }

            var report = ReportJson.Read(folder.ReportJsonPath);
            ReportHtml.Write(report, folder.ReportHtmlPath);
            Console.WriteLine(ReportText.Table(report));
            Console.WriteLine($"report: {folder.ReportHtmlPath}");
            return ExitCodes.Done;
        });
        return command;
    }
}
