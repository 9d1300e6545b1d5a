using Microsoft.AspNetCore.Http;
using Scissorhands.Planning;

namespace Scissorhands.Coordinator.Api;

/// <summary>What bodies and their content types must be like, whatever they ask for.</summary>
internal static class BodyRules
{
    private const int LongestPool = 64;
    private const int MostWorkers = 1024;

    /// <summary>Whether a request that changes something is one no web page could have made its reader's browser send: the types that are sent to other sites unasked are not taken.</summary>
    /// <param name="request">The request.</param>
    /// <returns>The answer where it is refused; null where it is not.</returns>
    public static IResult? RefuseContentType(HttpRequest request) => HttpMethods.IsGet(request.Method) || request.HasJsonContentType() || request.ContentLength is 0 && request.Headers.ContainsKey("X-Requested-With")
        ? null
        : Results.Json(new ErrorAnswer("the content type must be application/json"), statusCode: StatusCodes.Status415UnsupportedMediaType);

    /// <summary>Checks which workers are asked for.</summary>
    /// <param name="pool">The pool.</param>
    /// <param name="workers">How many.</param>
    /// <exception cref="InputException">There is no such pool or number; names the key.</exception>
    public static void CheckWorkers(string? pool, int workers)
    {
        if (workers is < 1 or > MostWorkers)
        {
            throw new InputException($"workers {workers}: must be between 1 and {MostWorkers}");
        }

        if (pool is not { Length: > 0 and <= LongestPool } || !pool.All(static c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.'))
        {
            throw new InputException($"pool: must be 1 to {LongestPool} letters, digits, '-', '_' or '.'");
        }
    }
}
