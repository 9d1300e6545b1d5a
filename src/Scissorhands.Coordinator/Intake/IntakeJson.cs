using System.Text.Json;
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
    public static object Answer(DeletionSubmission submission, IReadOnlyList<IntakeAnswer> answers) =>
        submission.Model is not null ? Answer(answers[0]) : new { requests = answers.Select(Answer).ToArray() };

    /// <summary>What is wrong, where the caller's id stands for another request already; null where it does not.</summary>
    public static string? Conflict(IReadOnlyList<IntakeAnswer> answers) =>
        answers.FirstOrDefault(static a => a.Conflict) is { } taken ? $"requestId: stands for another request already, {taken.Request.Id}" : null;

    private static object Answer(IntakeAnswer answer) => new
    {
        id = answer.Request.Id,
        requestId = answer.Request.CallerId,
        model = answer.Request.Model,
        status = StatusUrl(answer.Request),
        state = Name(answer.Request.State),
        reason = answer.Request.Reason,
        acceptedAt = answer.Request.AcceptedAt,
        deadline = answer.Request.Deadline,
        expectedCompletion = answer.Expected,
        resolved = answer.Request.Resolution.Samples,
        unknown = answer.Request.Resolution.Unknown,
        duplicates = answer.Request.Resolution.Duplicates,
        alreadyForgotten = answer.Request.Resolution.AlreadyForgotten,
    };
}
