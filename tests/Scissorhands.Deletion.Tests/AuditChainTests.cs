using CsCheck;
using Scissorhands.Deletion.Audit;

namespace Scissorhands.Deletion.Tests;

public sealed class AuditChainTests
{
    private static readonly DateTimeOffset Now = new(2026, 5, 6, 12, 0, 0, TimeSpan.Zero);

    private static List<AuditEntry> Chain(int rows)
    {
        var chain = new List<AuditEntry>();
        for (var i = 0; i < rows; i++)
        {
            chain.Add(AuditEntry.After(new AuditDraft("t", Now.AddSeconds(i), "request.accepted", $$"""{"n":{{i}}}"""), i + 1, i == 0 ? AuditEntry.Beginning : chain[^1].Hash));
        }

        return chain;
    }

    [Fact]
    public void Fault_WholeChain_IsNone() => Assert.Null(AuditChain.Fault(Chain(20)));

    [Fact]
    public void Fault_PartThatFollows_IsNone()
    {
        var chain = Chain(9);
        Assert.Null(AuditChain.Fault(chain.Skip(4), 5, chain[3].Hash));
    }

    /// <summary>Any single change: a character of any field, a row that is left out, doubled or in another place.</summary>
    [Fact]
    public void Fault_AnyChange_IsFound() =>
        Gen.Select(Gen.Int[1, 12], Gen.Int[0, 11], Gen.Int[0, 8], Gen.Int[0, 63]).Where((rows, at, _, _) => at < rows).Sample((rows, at, what, character) =>
        {
            var chain = Chain(rows);
            var row = chain[at];
            switch (what)
            {
                case 0: chain[at] = row with { Body = Flip(row.Body, character) }; break;
                case 1: chain[at] = row with { Kind = Flip(row.Kind, character) }; break;
                case 2: chain[at] = row with { Time = row.Time.AddTicks(1) }; break;
                case 3: chain[at] = row with { Previous = Flip(row.Previous, character) }; break;
                case 4: chain[at] = row with { Hash = Flip(row.Hash, character) }; break;
                case 5: chain[at] = row with { Chain = "u" }; break;
                case 6: chain.Insert(at, row); break;
                case 7 when at < rows - 1: chain.RemoveAt(at); break;
                case 8 when at < rows - 1: (chain[at], chain[at + 1]) = (chain[at + 1], chain[at]); break;
                default: return;
            }

            Assert.NotNull(AuditChain.Fault(chain));
        });

    /// <summary>What moves from one field into the next gives other bytes.</summary>
    [Fact]
    public void After_FieldsThatJoinToTheSame_HaveDifferentHashes() => Assert.NotEqual(
        AuditEntry.After(new AuditDraft("t", Now, "ab", "c"), 1, AuditEntry.Beginning).Hash,
        AuditEntry.After(new AuditDraft("t", Now, "a", "bc"), 1, AuditEntry.Beginning).Hash);

    private static string Flip(string text, int at)
    {
        at %= text.Length;
        return text[..at] + (text[at] == 'x' ? 'y' : 'x') + text[(at + 1)..];
    }
}
