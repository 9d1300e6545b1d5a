namespace Scissorhands.Deletion.Requests;

/// <summary>Where a deletion request stands.</summary>
public enum RequestState
{
    /// <summary>Durable and resolved; its samples are yet to be copied into quarantine, and their rows must stay.</summary>
    Received,

    /// <summary>Its samples are in quarantine, so that their rows may be erased; waits for a run.</summary>
    Accepted,

    /// <summary>Nothing of it can be forgotten; the reason says why. Final.</summary>
    Rejected,

    /// <summary>Must not be carried out until the hold is lifted: its samples are evidence.</summary>
    OnHold,

    /// <summary>Part of a batch whose run is about to be submitted.</summary>
    Scheduled,

    /// <summary>Its run is under way.</summary>
    Running,

    /// <summary>Its run is done; the result is judged, published and certified.</summary>
    Verifying,

    /// <summary>Forgotten: a version without its samples is published, and there is a certificate. Final unless that version is rolled back.</summary>
    Completed,

    /// <summary>Its run could not be published; it stays open and visible, and is tried again at the time shown, or when an operator says so.</summary>
    Failed,

    /// <summary>Withdrawn before its run began. Final.</summary>
    Cancelled,
}

/// <summary>How a request stands to its deadline.</summary>
public enum DeadlineStatus
{
    /// <summary>There is time.</summary>
    OnTime,

    /// <summary>Open, and less time is left than the policy's slack.</summary>
    AtRisk,

    /// <summary>Open after its deadline, or completed after it.</summary>
    Missed,
}

/// <summary>Which states follow which.</summary>
public static class RequestTransitions
{
    /// <summary>Whether nothing follows a state by itself.</summary>
    /// <param name="state">The state.</param>
    /// <returns>Whether it is final.</returns>
    public static bool IsFinal(RequestState state) => state is RequestState.Rejected or RequestState.Completed or RequestState.Cancelled;

    /// <summary>Whether a request may go from one state to another.</summary>
    /// <param name="from">The state it is in.</param>
    /// <param name="to">The state it is to be in.</param>
    /// <returns>Whether it may.</returns>
    public static bool Allows(RequestState from, RequestState to) => (from, to) switch
    {
        // On hold where it was to be held from the beginning; failed where rows were gone before they could be copied.
        (RequestState.Received, RequestState.Received or RequestState.Accepted or RequestState.OnHold or RequestState.Cancelled or RequestState.Rejected or RequestState.Failed) => true,

        // Copied again where the copies are damaged, or lack what a version that is in use again still knows.
        (RequestState.Accepted or RequestState.OnHold or RequestState.Failed or RequestState.Scheduled, RequestState.Received) => true,

        // Rejected where an earlier batch has forgotten all of its samples meanwhile.
        (RequestState.Accepted, RequestState.Scheduled or RequestState.OnHold or RequestState.Cancelled or RequestState.Rejected) => true,
        (RequestState.OnHold, RequestState.Accepted or RequestState.Cancelled) => true,
        (RequestState.Scheduled, RequestState.Running or RequestState.Failed) => true,
        (RequestState.Running, RequestState.Verifying or RequestState.Failed or RequestState.Received) => true,

        // A failed gate tries the next preset.
        (RequestState.Verifying, RequestState.Running or RequestState.Completed or RequestState.Failed) => true,
        (RequestState.Failed, RequestState.Failed or RequestState.Accepted or RequestState.OnHold or RequestState.Cancelled or RequestState.Scheduled or RequestState.Rejected) => true,

        // A version that still knows its samples is the current one again.
        (RequestState.Completed or RequestState.Rejected, RequestState.Received) => true,
        _ => false,
    };

    /// <summary>How a request stands to its deadline.</summary>
    /// <param name="state">Its state.</param>
    /// <param name="deadline">Its deadline.</param>
    /// <param name="ended">When it was completed; null where it is open.</param>
    /// <param name="now">Now.</param>
    /// <param name="slack">Time before the deadline from which on it is at risk.</param>
    /// <returns>How it stands.</returns>
    public static DeadlineStatus Status(RequestState state, DateTimeOffset deadline, DateTimeOffset? ended, DateTimeOffset now, TimeSpan slack)
    {
        if (IsFinal(state))
        {
            return state == RequestState.Completed && ended > deadline ? DeadlineStatus.Missed : DeadlineStatus.OnTime;
        }

        return now > deadline ? DeadlineStatus.Missed : deadline - now < slack ? DeadlineStatus.AtRisk : DeadlineStatus.OnTime;
    }
}
