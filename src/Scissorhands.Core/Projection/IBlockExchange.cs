namespace Scissorhands.Core.Projection;

/// <summary>Brings together what the owners of a vector's parts have computed of their blocks.</summary>
public interface IBlockExchange
{
    /// <summary>Gathers the values of all blocks. All owners come to it.</summary>
    /// <param name="values">Those of the own part, block by block.</param>
    /// <param name="perBlock">Values a block.</param>
    /// <returns>Those of all parts, in the order of the blocks.</returns>
    double[] Gather(double[] values, int perBlock);
}
