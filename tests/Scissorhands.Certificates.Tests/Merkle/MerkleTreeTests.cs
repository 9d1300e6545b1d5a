using CsCheck;
using Scissorhands.Certificates.Merkle;

namespace Scissorhands.Certificates.Tests.Merkle;

public sealed class MerkleTreeTests
{
    // The leaves that implementations of RFC 6962 are tested with; roots and paths by the RFC's own recursion.
    private static readonly byte[][] Leaves = [.. ((string[])["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]).Select(Convert.FromHexString)];

    [Theory]
    [InlineData(0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")]
    [InlineData(1, "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d")]
    [InlineData(2, "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125")]
    [InlineData(3, "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77")]
    [InlineData(4, "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7")]
    [InlineData(5, "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4")]
    [InlineData(6, "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef")]
    [InlineData(7, "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c")]
    [InlineData(8, "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328")]
    public void Root_knownLeaves_knownHash(int count, string expected) => Assert.Equal(expected, Convert.ToHexStringLower(new MerkleTree(Leaves.Take(count)).Root));

    [Theory]
    [InlineData(0, 1, "")]
    [InlineData(0, 8, "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7 5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e 6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4")]
    [InlineData(5, 8, "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0 d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7")]
    [InlineData(2, 3, "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125")]
    [InlineData(1, 5, "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d 5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b")]
    public void Path_knownLeaves_knownHashes(int index, int count, string expected) =>
        Assert.Equal(expected, string.Join(' ', new MerkleTree(Leaves.Take(count)).Path(index).Select(Convert.ToHexStringLower)));

    [Fact]
    public void Leads_everyLeafOfTreesUpToSixtyFive_onlyFromItsOwnPlace()
    {
        for (var count = 1; count <= 65; count++)
        {
            byte[][] leaves = [.. Enumerable.Range(0, count).Select(static i => new byte[] { (byte)i })];
            var tree = new MerkleTree(leaves);
            for (var index = 0; index < count; index++)
            {
                var path = tree.Path(index);
                for (var claimed = -1; claimed <= count; claimed++)
                {
                    Assert.Equal(claimed == index, MerkleTree.Leads(leaves[index], claimed, count, path, tree.Root));
                }
            }
        }
    }

    [Fact]
    public void Leads_anythingChanged_no() =>
        Gen.Select(Gen.Int[1, 40], Gen.Int[0, 1000], Gen.Int[0, 4]).Sample((count, pick, what) =>
        {
            byte[][] leaves = [.. Enumerable.Range(0, count).Select(static i => new byte[] { (byte)i, 7 })];
            var tree = new MerkleTree(leaves);
            var index = pick % count;
            var leaf = leaves[index];
            var path = tree.Path(index).Select(static hash => hash.ToArray()).ToList();
            var root = tree.Root.ToArray();
            switch (what)
            {
                case 0:
                    leaf[pick % leaf.Length] ^= 1;
                    break;
                case 1:
                    root[pick % root.Length] ^= 1;
                    break;
                case 2:
                    path.Add(root);
                    break;
                case 3 when path.Count > 0:
                    path.RemoveAt(pick % path.Count);
                    break;
                case 4 when path.Count > 0:
                    path[pick % path.Count][pick % 32] ^= 0x80;
                    break;
                default:
                    return;
            }

            Assert.False(MerkleTree.Leads(leaf, index, count, path, root));
        });

    [Fact]
    public void Create_sameIdsTwice_anotherRoot()
    {
        // Without the random bytes the root of one id would be a hash of it, and a guess could be tested.
        var one = ForgottenSet.Create(["a"], new string('0', 64));
        var other = ForgottenSet.Create(["a"], new string('0', 64));

        Assert.NotEqual(one.MerkleRoot, other.MerkleRoot);
        Assert.NotEqual(one.Plan.Commitment, other.Plan.Commitment);
    }

    [Fact]
    public void Openings_ids_eachProvesItsOwn()
    {
        var set = ForgottenSet.Create(SampleDrafts.Ids(37), new string('0', 64));
        var openings = set.Openings().ToArray();

        Assert.Equal(SampleDrafts.Ids(37).Order(StringComparer.Ordinal), openings.Select(static o => o.Id).Order(StringComparer.Ordinal));
        Assert.All(openings, opening =>
        {
            Assert.True(opening.Proves(37, set.MerkleRoot));
            Assert.False((opening with { Id = "somebody" }).Proves(37, set.MerkleRoot));
            Assert.False((opening with { Nonce = openings[(opening.Index + 1) % 37].Nonce }).Proves(37, set.MerkleRoot));
            Assert.False(opening.Proves(set.Count, new string('0', 64)));
        });

        // The place in the tree says nothing of the place in the list.
        Assert.NotEqual(SampleDrafts.Ids(37), openings.Select(static o => o.Id));
    }

    [Fact]
    public void Create_idsThatAreNoSet_refused()
    {
        string[][] refused = [[], ["a", "b", "a"], ["\ud800"]];
        Assert.All(refused, static ids => Assert.ThrowsAny<ArgumentException>(() => ForgottenSet.Create(ids, new string('0', 64))));
    }
}
