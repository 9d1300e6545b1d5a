namespace Scissorhands.Core.Models;

/// <summary>
/// Where in a run a forward pass in train mode takes place: what dropout masks are a function of, together with the
/// layer's name and the element's index.
/// </summary>
/// <param name="Seed">The run's seed.</param>
/// <param name="Epoch">The pass over the data.</param>
/// <param name="Step">The step of the epoch, or the batch.</param>
/// <param name="Slice">The slice of the step's batch.</param>
/// <param name="Part">What is computed: <c>retain</c>, <c>forget</c>, <c>sensitivity</c>, so that they draw independent masks.</param>
/// <param name="FirstSample">
/// Place, within the slice, of the first sample of this forward pass: a slice computed in micro-batches draws the masks
/// it would draw as a whole.
/// </param>
public sealed record DropoutContext(long Seed, long Epoch, long Step, long Slice, string Part, long FirstSample = 0);

/// <summary>A module that draws dropout masks from the counter-based source rather than from libtorch's process-global generator.</summary>
public interface IHasDropoutContext
{
    /// <summary>The context of the next forward pass; set before each one in train mode. Not needed in eval mode.</summary>
    DropoutContext? DropoutContext { get; set; }
}
