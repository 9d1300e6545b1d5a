namespace Scissorhands.Planning;

/// <summary>
/// The user's input is at fault: a file, a key, an id. The message is one line that names the culprit and the remedy;
/// hosts print it as it is and exit with code 2.
/// </summary>
public sealed class InputException : Exception
{
    /// <summary>Creates the exception.</summary>
    /// <param name="message">One line that names the file, key or id at fault.</param>
    /// <param name="inner">What was thrown underneath, for the log.</param>
    public InputException(string message, Exception? inner = null) : base(message, inner)
    {
    }

    /// <summary>
    /// The configuration key at fault, such as <c>trim.scope</c>; null where it is something else. It may be told also where the
    /// message may not, as that can quote an id.
    /// </summary>
    public string? Key { get; init; }
}
