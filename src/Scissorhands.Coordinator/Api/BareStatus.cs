using Microsoft.AspNetCore.Http;
using Scissorhands.Coordinator.Access;

namespace Scissorhands.Coordinator.Api;

/// <summary>Gives answers that consist of a status alone, those of routing and of authorization, the body that all errors have.</summary>
internal static class BareStatus
{
    /// <summary>Writes the body.</summary>
    /// <param name="context">The request whose answer has a status and nothing else.</param>
    /// <returns>Completes when it is written.</returns>
    public static Task WriteAsync(HttpContext context) => context.Response.WriteAsJsonAsync(new ErrorAnswer(Describe(context)), context.RequestAborted);

    private static string Describe(HttpContext context) => context.Response.StatusCode switch
    {
        StatusCodes.Status401Unauthorized => "who calls is not known: send a key or a token as Authorization: Bearer ...",
        StatusCodes.Status403Forbidden => "the key or token has not the scope that this call needs",
        StatusCodes.Status404NotFound => "there is nothing at this address; /openapi/v1.json lists what there is",
        StatusCodes.Status405MethodNotAllowed => $"{context.Request.Method} is not a method of this address",
        StatusCodes.Status413PayloadTooLarge => "the body is too large",
        StatusCodes.Status415UnsupportedMediaType => "the content type must be application/json",
        StatusCodes.Status429TooManyRequests => $"too many calls from this caller; {CallLimits.When(context)}",
        var status => $"status {status}",
    };
}
