using System.Text.Json;
using Scissorhands.Coordinator.Api;
using Scissorhands.Deletion.Requests;

namespace Scissorhands.Coordinator.Intake;

/// <summary>Answers to deletion requests, the same through every door.</summary>
internal static class IntakeJson
{
    /// <summary>Where a request can be asked after, below the coordinator's address.</summary>
    public static string StatusUrl(DeletionRequest request) => $"/v1/deletion-requests/{request.Id}";

    /// <summary>The name of a state or of another enumeration's value.</summary>
    public static string Name<T>(T value)
        where T : struct, Enum => JsonNamingPolicy.CamelCase.ConvertName(value.ToString());

    /// <summary>The answers to a submission: one object for a model, a list for a data set.</summary>
    public static SubmissionAnswer Answer(DeletionSubmission submission, IReadOnlyList<IntakeAnswer> answers) =>
        submission.Model is not null ? Answer(answers[0]) : new SubmissionAnswer { Requests = [.. answers.Select(Answer)] };

    /// <summary>What is wrong, where the caller's id stands for another request already; null where it does not.</summary>
    public static string? Conflict(IReadOnlyList<IntakeAnswer> answers) =>
        answers.FirstOrDefault(static a => a.Conflict) is { } taken ? $"requestId: stands for another request already, {taken.Request.Id}" : null;

    private static SubmissionAnswer Answer(IntakeAnswer answer) => new()
    {
        Id = answer.Request.Id,
        RequestId = answer.Request.CallerId,
        Model = answer.Request.Model,
        Status = StatusUrl(answer.Request),
        State = answer.Request.State,
        Reason = answer.Request.Reason,
        StoredAt = answer.Request.StoredAt,
        AcceptedAt = answer.Request.RowsMayGoSince,
        Deadline = answer.Request.Deadline,
        ExpectedCompletion = answer.Expected,
        Resolved = answer.Request.Resolution.Samples,
        Unknown = answer.Request.Resolution.Unknown,
        Duplicates = answer.Request.Resolution.Duplicates,
        AlreadyForgotten = answer.Request.Resolution.AlreadyForgotten,
    };
}
