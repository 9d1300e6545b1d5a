using CsCheck;
using Scissorhands.Deletion.Audit;

namespace Scissorhands.Deletion.Tests;

public sealed class AuditCheckTests
{
    private static readonly DateTimeOffset Now = new(2026, 5, 6, 12, 0, 0, TimeSpan.Zero);

    // Rows, and the places that were signed: at least one.
    private static readonly Gen<(int Rows, long[] Signed)> Chains =
        from rows in Gen.Int[1, 15]
        from signed in Gen.Long[1, rows].Array[1, 5]
        select (rows, signed);

    [Fact]
    public void Check_ChainAsItWas_OrLonger_IsWithoutFault() =>
        Gen.Select(Chains, Gen.Int[0, 4], Gen.Int[1, 6]).Sample((chain, more, page) =>
        {
            var check = new AuditCheck(Heads(Chain(chain.Rows), chain.Signed));
            Assert.Null(Fault(check, Chain(chain.Rows + more), page));
            Assert.Equal(chain.Rows + more, check.Rows);
            Assert.Equal(chain.Signed.Max(), check.Covered);
            Assert.Equal(check.Covered == check.Rows ? null : Now.AddSeconds(check.Covered), check.UncoveredSince);
        });

    /// <summary>Cut anywhere before the last signed row, down to nothing.</summary>
    [Fact]
    public void Check_ChainCutShort_IsFound() =>
        Gen.Select(Chains, Gen.Int[0, 14], Gen.Int[1, 6]).Where((chain, rows, _) => rows < chain.Signed.Max()).Sample((chain, rows, page) =>
            Assert.NotNull(Fault(new AuditCheck(Heads(Chain(chain.Rows), chain.Signed)), Chain(rows), page)));

    /// <summary>One row's content is another, and all hashes from there on are made anew; the rows alone are without fault.</summary>
    [Fact]
    public void Check_ChainRewritten_IsFound() =>
        Gen.Select(Chains, Gen.Int[0, 14], Gen.Int[1, 6]).Where((chain, at, _) => at < chain.Signed.Max()).Sample((chain, at, page) =>
        {
            var rewritten = Chain(chain.Rows, i => i == at ? 1000 : i);
            Assert.Null(Fault(new AuditCheck([]), rewritten, page));
            Assert.NotNull(Fault(new AuditCheck(Heads(Chain(chain.Rows), chain.Signed)), rewritten, page));
        });

    /// <summary>Two rows have changed places, with new hashes.</summary>
    [Fact]
    public void Check_ChainReordered_IsFound() =>
        Gen.Select(Chains, Gen.Int[0, 14], Gen.Int[0, 14], Gen.Int[1, 6]).Where((chain, a, b, _) => a < b && a < chain.Signed.Max() && b < chain.Rows).Sample((chain, a, b, page) =>
        {
            var reordered = Chain(chain.Rows, i => i == a ? b : i == b ? a : i);
            Assert.Null(Fault(new AuditCheck([]), reordered, page));
            Assert.NotNull(Fault(new AuditCheck(Heads(Chain(chain.Rows), chain.Signed)), reordered, page));
        });

    /// <summary>Another tenant's chain, whole and signed for, in place of the one that is asked for.</summary>
    [Fact]
    public void Check_HeadOfAnotherChain_IsFound() =>
        Assert.NotNull(Fault(new AuditCheck(Heads(Chain(3), [2]).Select(static head => head with { Chain = "u" })), Chain(3), 10));

    private static List<AuditEntry> Chain(int rows, Func<int, int>? content = null)
    {
        var chain = new List<AuditEntry>();
        for (var i = 0; i < rows; i++)
        {
            var what = content?.Invoke(i) ?? i;
            chain.Add(AuditEntry.After(new AuditDraft("t", Now.AddSeconds(what), "request.accepted", $$"""{"n":{{what}}}"""), i + 1, i == 0 ? AuditEntry.Beginning : chain[^1].Hash));
        }

        return chain;
    }

    private static IEnumerable<AuditHead> Heads(List<AuditEntry> chain, long[] signed) => signed.Select(place => new AuditHead("t", place, chain[(int)place - 1].Hash, Now));

    private static string? Fault(AuditCheck check, List<AuditEntry> rows, int page) => rows.Chunk(page).Select(check.Add).FirstOrDefault(static fault => fault is not null) ?? check.End();
}
