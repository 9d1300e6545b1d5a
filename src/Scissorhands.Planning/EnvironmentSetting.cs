namespace Scissorhands.Planning;

/// <summary>Settings that may hold passwords: from the environment, or from a file that it names, as containers are given secrets.</summary>
public static class EnvironmentSetting
{
    private const int MaximumBytes = 1 << 16;

    /// <summary>Reads a setting: what is in the variable, or, where <c>VARIABLE_FILE</c> is set, in the file of that name.</summary>
    /// <param name="variable">The variable's name.</param>
    /// <returns>The value, without white space around it where it comes from a file; null where neither is set.</returns>
    /// <exception cref="InputException">Both are set, or the file cannot be read or is empty. The message repeats no value.</exception>
    public static string? Read(string variable)
    {
        ArgumentNullException.ThrowIfNull(variable);
        var fileVariable = variable + "_FILE";
        var value = Environment.GetEnvironmentVariable(variable) is { Length: > 0 } given ? given : null;
        if (Environment.GetEnvironmentVariable(fileVariable) is not { Length: > 0 } file)
        {
            return value;
        }

        if (value is not null)
        {
            throw new InputException($"{variable} and {fileVariable} are both set: set one of them");
        }

        string text;
        try
        {
            text = new FileInfo(file).Length <= MaximumBytes ? File.ReadAllText(file).Trim() : throw new InputException($"{fileVariable} {file}: larger than {MaximumBytes} bytes; does it hold one setting?");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new InputException($"{fileVariable} {file}: cannot be read: {e.Message.ReplaceLineEndings(" ")}", e);
        }

        return text.Length > 0 ? text : throw new InputException($"{fileVariable} {file}: is empty; it holds what {variable} would");
    }
}
