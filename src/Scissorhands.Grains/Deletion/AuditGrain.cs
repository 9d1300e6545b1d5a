using Microsoft.Extensions.Logging;
using Scissorhands.Abstractions.Deletion;
using Scissorhands.Grains.Store;

namespace Scissorhands.Grains.Deletion;

/// <summary>
/// Gives the rows of a chain their places, many at a time. Should two live for a moment, as coordinators lose each other,
/// the one that took over last appends and the other finds itself superseded. Signs the chain's head from time to time.
/// </summary>
public sealed partial class AuditGrain : Grain, IAuditGrain
{
    private const int RowsAtOnce = 500;
    private readonly IAuditStore _store;
    private readonly HeadSigning _heads;
    private readonly ILogger<AuditGrain> _logger;
    private long? _epoch;
    private string? _told;

    /// <summary>Creates the grain.</summary>
    /// <param name="store">The chains.</param>
    /// <param name="signer">The key of the service.</param>
    /// <param name="options">How often heads are signed.</param>
    /// <param name="time">The clock.</param>
    /// <param name="logger">The log.</param>
    public AuditGrain(IAuditStore store, IHeadSigner signer, AuditHeadOptions options, TimeProvider time, ILogger<AuditGrain> logger)
    {
        _store = store;
        _heads = new HeadSigning(this.GetPrimaryKeyString(), store, signer, options, time);
        _logger = logger;
    }

    /// <inheritdoc/>
    public async Task WakeAsync()
    {
        var chain = this.GetPrimaryKeyString();
        while (true)
        {
            _epoch ??= await _store.TakeOverAsync(chain, CancellationToken.None);
            switch (await _store.AppendAsync(chain, _epoch.Value, RowsAtOnce, CancellationToken.None))
            {
                case null:
                    // Somebody else appends: let it.
                    _epoch = null;
                    DeactivateOnIdle();
                    return;
                case < RowsAtOnce:
                    await SignAsync(chain);
                    return;
            }
        }
    }

    private async Task SignAsync(string chain)
    {
        if (await _heads.SignIfDueAsync(CancellationToken.None) is { } fault && fault != _told)
        {
            LogFault(chain, fault);
            _told = fault;
        }
    }

    [LoggerMessage(LogLevel.Error, "Audit chain {Chain}: {Fault}; its head is signed no more")]
    private partial void LogFault(string chain, string fault);
}
