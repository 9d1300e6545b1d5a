using Scissorhands.Reporting;
using Scissorhands.Reporting.Model;
using Scissorhands.Worker.Run;

namespace Scissorhands.Cli.Progress;

/// <summary>What a person sees of a run that has ended well.</summary>
internal static class RunSummary
{
    /// <summary>Writes the figures and where the report is.</summary>
    public static void Write(TextWriter output, RunReport report, RunFolder folder)
    {
        ArgumentNullException.ThrowIfNull(report);
        ArgumentNullException.ThrowIfNull(folder);
        output.WriteLine();
        output.WriteLine(ReportText.Table(report));
        output.WriteLine($"report: {folder.ReportHtmlPath}");
    }
}
