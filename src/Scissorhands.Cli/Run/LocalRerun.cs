using Scissorhands.Certificates.Statements;
using Scissorhands.Certificates.Verification;
using Scissorhands.Planning;
using Scissorhands.Planning.Configuration;
using Scissorhands.Worker.Run;

namespace Scissorhands.Cli.Run;

/// <summary>Runs once more what a certificate is about, with the code that <c>run</c> uses, and compares the bytes.</summary>
internal static class LocalRerun
{
    private const string Name = "rerun";

    /// <summary>The configuration that is certified, with the reader's own place for caches.</summary>
    /// <param name="certificate">The certificate, whose rules were checked.</param>
    /// <param name="cache">Value of <c>data.cache</c>; null for its default.</param>
    /// <returns>The configuration.</returns>
    public static RunConfiguration Configuration(Certificate certificate, string? cache)
    {
        var certified = ConfigurationJson.Parse(certificate.Statement.Predicate.Configuration.Json, "the certificate's configuration");
        ConfigurationValidator.Validate(certified, ["classification"]);
        return certified with { Data = certified.Data with { Cache = cache ?? "" } };
    }

    /// <summary>Runs, unless the inputs are not the certified ones.</summary>
    /// <param name="certificate">The certificate.</param>
    /// <param name="inputs">Inputs loaded with its configuration.</param>
    /// <param name="workers">Workers.</param>
    /// <param name="observe">Sees the progress.</param>
    /// <param name="time">The clock.</param>
    /// <param name="cancellationToken">Ends the run.</param>
    /// <returns>The check <c>rerun</c>.</returns>
    public static async Task<Check> ExecuteAsync(Certificate certificate, RunInputs inputs, int workers, Action<Abstractions.Runs.WorkerReport> observe, TimeProvider time, CancellationToken cancellationToken)
    {
        // Weights and gradients of forgotten samples pass through this folder.
        var folder = Directory.CreateTempSubdirectory("scissorhands-rerun-").FullName;
        try
        {
            using var run = LocalRun.Open(inputs, new RunFolder(folder), resume: false, time);
            if (Difference(certificate.Statement.Predicate, run.Plan) is { } difference)
            {
                return new Check(Name, CheckOutcome.Failed, difference);
            }

            await run.ExecuteAsync(workers, observe, CancellationToken.None, cancellationToken);
            return CertificateChecks.Rerun(certificate, folder);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static string? Difference(UnlearningPredicate certified, RunPlan plan) =>
        plan.ModelDigest != certified.Model.Sha256 ? $"--model-before has sha256 {plan.ModelDigest}, certified is {certified.Model.Sha256}"
        : plan.ForgetCount != certified.Forgotten.Count ? $"--forget names {plan.ForgetCount} samples, certified are {certified.Forgotten.Count}"
        : plan.ForgottenCount != certified.Data.ForgottenEarlier ? $"--forgotten names {plan.ForgottenCount} samples, certified are {certified.Data.ForgottenEarlier}"
        : plan.DataDigest != certified.Data.Sha256 ? $"--data has sha256 {plan.DataDigest}, certified is {certified.Data.Sha256}: other data, or --forget or --forgotten in another order than the run's (a service's are sorted: LC_ALL=C sort)"
        : plan.TestDigest != (certified.Data.TestSha256 ?? "") ? $"--test-data {(plan.TestDigest is { Length: > 0 } test ? $"has sha256 {test}" : "is not given")}, certified is {certified.Data.TestSha256 ?? "none"}"
        : plan.LibtorchVersion != certified.Program.Libtorch ? $"libtorch {plan.LibtorchVersion} here, certified is {certified.Program.Libtorch}, and another version may round differently"
        : null;
}
