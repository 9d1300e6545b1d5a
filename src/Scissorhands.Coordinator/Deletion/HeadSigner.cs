using Scissorhands.Certificates.Heads;
using Scissorhands.Certificates.Signing;
using Scissorhands.Deletion.Audit;
using Scissorhands.Grains.Deletion;
using Scissorhands.Planning;

namespace Scissorhands.Coordinator.Deletion;

/// <summary>Signs audit heads with the key that signs certificates.</summary>
internal sealed class HeadSigner(SigningKey key) : IHeadSigner, IDisposable
{
    private readonly VerificationKey _own = VerificationKey.FromSubjectPublicKeyInfo(key.PublicKey);

    public string? KeyId => key.IsEphemeral ? null : key.KeyId;

    public string Sign(AuditHead head) => SignedHead.Sign(head.Chain, head.Sequence, head.Hash, head.Time, key);

    public AuditHead? Open(string envelope)
    {
        try
        {
            var head = SignedHead.Parse(envelope, "head");
            return head.IsSignedBy(_own) ? new AuditHead(head.Chain, head.Sequence, head.Hash, head.Time) : null;
        }
        catch (InputException)
        {
            return null;
        }
    }

    public void Dispose() => _own.Dispose();
}
