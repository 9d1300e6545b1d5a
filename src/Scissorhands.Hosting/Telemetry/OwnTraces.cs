using System.Diagnostics;
using OpenTelemetry.Trace;

namespace Scissorhands.Hosting.Telemetry;

/// <summary>
/// Which spans are kept: traces begin with callers and with what this product does by itself. Signs of life, progress and
/// questions between the processes are left out everywhere: a long run has hundreds of thousands of them, and they say nothing
/// that its stages do not.
/// </summary>
/// <param name="roots">Beginnings of the names of spans that may begin a trace.</param>
/// <param name="leftOut">Ends of the names of spans that are never kept.</param>
internal sealed class OwnTraces(IReadOnlyList<string> roots, IReadOnlyList<string> leftOut) : Sampler
{
    public override SamplingResult ShouldSample(in SamplingParameters samplingParameters)
    {
        var name = samplingParameters.Name;
        var parent = samplingParameters.ParentContext;
        var kept = !leftOut.Any(end => name.EndsWith(end, StringComparison.Ordinal))
            && (parent.TraceId == default
                ? samplingParameters.Kind == ActivityKind.Server || roots.Any(root => name.StartsWith(root, StringComparison.Ordinal))
                : parent.TraceFlags.HasFlag(ActivityTraceFlags.Recorded));
        return new SamplingResult(kept ? SamplingDecision.RecordAndSample : SamplingDecision.Drop);
    }
}
