using Scissorhands.Deletion.Requests;

namespace Scissorhands.Deletion.Tests;

public sealed class DeletionRequestTests
{
    private static readonly DateTimeOffset Start = new(2026, 1, 2, 3, 4, 5, TimeSpan.Zero);

    /// <summary>Once accepted it is for good, to those who keep runs from its rows; callers are told not to erase them where they are needed again.</summary>
    [Theory]
    [InlineData(RequestState.Accepted, true, true)]
    [InlineData(RequestState.OnHold, true, true)]
    [InlineData(RequestState.Failed, true, true)]
    [InlineData(RequestState.Completed, false, true)]
    [InlineData(RequestState.Cancelled, false, true)]
    [InlineData(RequestState.Received, false, false)]
    [InlineData(RequestState.Received, true, false)]
    [InlineData(RequestState.Failed, false, false)]
    public void RowsMayGoSince_OfOneThatWasAccepted_NotWhereItIsToBeCopiedAgain(RequestState state, bool copied, bool mayGo)
    {
        var request = new DeletionRequest
        {
            Id = "r",
            Tenant = "t",
            Principal = "p",
            CallerId = "c",
            BodyDigest = "d",
            Model = "m",
            ReceivedAt = Start,
            StoredAt = Start,
            AcceptedAt = Start,
            Deadline = Start.AddDays(30),
            State = state,
            QuarantinedAt = copied ? Start : null,
            Resolution = new Resolution { Samples = 1 },
        };

        Assert.Equal(Start, request.AcceptedAt);
        Assert.Equal(mayGo ? Start : null, request.RowsMayGoSince);
        Assert.Null((request with { AcceptedAt = null }).RowsMayGoSince);
    }
}
