using Scissorhands.Certificates.Json;
using Scissorhands.Planning;
using Scissorhands.Reporting;

namespace Scissorhands.Certificates.Merkle;

/// <summary>
/// Proofs as JSON lines, in canonical form. The operator's file begins with the opening of the plan and holds every id; any
/// selection of its lines is a file of proofs to hand out.
/// </summary>
public static class OpeningsFile
{
    /// <summary>The name beside a certificate.</summary>
    public const string Name = "openings.jsonl";

    private const int MaximumLineBytes = 64 << 10;
    private const byte LineFeed = (byte)'\n';

    /// <summary>Writes the operator's file, readable by its owner alone.</summary>
    /// <param name="set">The ids.</param>
    /// <param name="path">The file.</param>
    /// <exception cref="RunFailedException">It cannot be written.</exception>
    public static void Write(ForgottenSet set, string path)
    {
        ArgumentNullException.ThrowIfNull(set);
        PublishedFile.Write(
            path,
            stream =>
            {
                WriteLine(stream, set.Plan);
                foreach (var opening in set.Openings())
                {
                    WriteLine(stream, opening);
                }
            },
            UnixFileMode.UserRead | UnixFileMode.UserWrite);
    }

    /// <summary>Reads a file of proofs, line by line.</summary>
    /// <param name="path">The file.</param>
    /// <returns>An <see cref="IdOpening"/> or <see cref="PlanOpening"/> a line.</returns>
    /// <exception cref="InputException">Missing, unreadable, or a line that is neither.</exception>
    public static IEnumerable<object> Read(string path)
    {
        if (!File.Exists(path))
        {
            throw new InputException($"{path}: no such file");
        }

        using var stream = Open(path);
        var number = 0;
        foreach (var line in Lines(stream, path))
        {
            number++;
            yield return Parse(line, $"{path}, line {number}");
        }
    }

    /// <summary>Reads one line.</summary>
    /// <param name="line">Its bytes, without the line feed.</param>
    /// <param name="source">What messages name.</param>
    /// <returns>An <see cref="IdOpening"/> or <see cref="PlanOpening"/>.</returns>
    /// <exception cref="InputException">It is neither.</exception>
    internal static object Parse(ReadOnlyMemory<byte> line, string source) => line.Span.StartsWith("{\"planHash\":"u8)
        ? StrictJson.Read<PlanOpening>(line, MaximumLineBytes, source)
        : StrictJson.Read<IdOpening>(line, MaximumLineBytes, source);

    private static void WriteLine<T>(Stream stream, T line) where T : class
    {
        stream.Write(StrictJson.Write(line));
        stream.WriteByte(LineFeed);
    }

    private static FileStream Open(string path)
    {
        try
        {
            return File.OpenRead(path);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            throw new InputException($"{path}: cannot be read: {failure.Message.ReplaceLineEndings(" ")}", failure);
        }
    }

    private static IEnumerable<ReadOnlyMemory<byte>> Lines(FileStream stream, string path)
    {
        var buffer = new byte[MaximumLineBytes + 1];
        var filled = 0;
        while (true)
        {
            var read = stream.Read(buffer, filled, buffer.Length - filled);
            filled += read;
            var start = 0;
            for (int length; (length = buffer.AsSpan(start, filled - start).IndexOf(LineFeed)) >= 0; start += length + 1)
            {
                yield return buffer.AsMemory(start, length);
            }

            buffer.AsSpan(start, filled - start).CopyTo(buffer);
            filled -= start;
            if (filled == buffer.Length)
            {
                throw new InputException($"{path}: a line is longer than {MaximumLineBytes} bytes");
            }

            if (read == 0)
            {
                break;
            }
        }

        if (filled > 0)
        {
            throw new InputException($"{path}: its last line is not closed by a line feed: was the file cut short?");
        }
    }
}
