using Scissorhands.Certificates.Signing;
using Scissorhands.Certificates.Statements;
using Scissorhands.Certificates.Verification;
using Scissorhands.Testing;

namespace Scissorhands.Certificates.Tests.Verification;

/// <summary>Other tools agree on what a certificate is: Python's cryptography package verifies ours, and signs what we verify.</summary>
public sealed class PythonTests
{
    private const string Modules = "sys, json, base64, hashlib, cryptography";

    private const string Common =
        """
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.hazmat.primitives.asymmetric import ec

        def pae(kind, body):
            return b'DSSEv1 %d %s %d %s' % (len(kind), kind, len(body), body)

        def canonical(value):
            return json.dumps(value, sort_keys=True, separators=(',', ':'), ensure_ascii=False).encode()

        """;

    private const string Verify = Common +
        """
        raw = open(sys.argv[1], 'rb').read()
        envelope = json.loads(raw)
        assert canonical(envelope) == raw
        payload = base64.b64decode(envelope['payload'], validate=True)
        pem = open(sys.argv[2], 'rb').read()
        key = serialization.load_pem_public_key(pem)
        spki = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        signature, = envelope['signatures']
        assert signature['keyid'] == hashlib.sha256(spki).hexdigest()
        key.verify(base64.b64decode(signature['sig']), pae(envelope['payloadType'].encode(), payload), ec.ECDSA(hashes.SHA256()))
        statement = json.loads(payload)
        assert base64.b64decode(statement['predicate']['signer']['publicKey']) == spki
        forgotten = statement['predicate']['forgotten']

        def tree(leaves):
            if len(leaves) == 1:
                return hashlib.sha256(b'\0' + leaves[0]).digest()
            half = 1
            while half * 2 < len(leaves):
                half *= 2
            return hashlib.sha256(b'\1' + tree(leaves[:half]) + tree(leaves[half:])).digest()

        lines = [json.loads(line) for line in open(sys.argv[3])]
        leaves = [hashlib.sha256(base64.b64decode(line['nonce']) + line['id'].encode()).digest() for line in lines[1:]]
        assert leaves == sorted(leaves) and len(leaves) == forgotten['count']
        assert tree(leaves).hex() == forgotten['merkleRoot']
        plan = hashlib.sha256(base64.b64decode(lines[0]['planNonce']) + bytes.fromhex(lines[0]['planHash'])).hexdigest()
        assert plan == statement['predicate']['plan']['commitment']
        print('verified', statement['subject'][0]['name'])
        """;

    private const string Sign = Common +
        """
        statement = json.loads(base64.b64decode(json.load(open(sys.argv[1]))['payload']))
        key = ec.generate_private_key(ec.SECP256R1())
        spki = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        statement['predicate']['signer'] = {'ephemeral': False, 'publicKey': base64.b64encode(spki).decode()}
        statement['predicate']['requests'] = ['request-of-python', 'żółw']
        # The one number here that Python writes otherwise than ECMAScript.
        payload = canonical(statement).replace(b'1e-07', b'1e-7')
        kind = 'application/vnd.in-toto+json'
        signature = key.sign(pae(kind.encode(), payload), ec.ECDSA(hashes.SHA256()))
        envelope = {'payload': base64.b64encode(payload).decode(), 'payloadType': kind,
                    'signatures': [{'keyid': hashlib.sha256(spki).hexdigest(), 'sig': base64.b64encode(signature).decode()}]}
        open(sys.argv[2], 'wb').write(canonical(envelope))
        open(sys.argv[3], 'wb').write(key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo))
        """;

    [Fact]
    public async Task Certificate_ofThisProgram_verifiedByPython()
    {
        using var folder = new TempFolder();
        using var key = SigningKey.CreateEphemeral();
        CertificateIssuer.Issue(SampleDrafts.Full(13), key).Write(folder.Path);

        var output = await PythonProgram.RunAsync(
            Modules, Verify, TestContext.Current.CancellationToken, folder.Combine("certificate.dsse.json"), folder.Write("public.pem", key.PublicKeyPem), folder.Combine("openings.jsonl"));

        Assert.SkipUnless(output is not null, "no cryptography package for Python here");
        Assert.Equal("verified mask.safetensors", output);
    }

    [Fact]
    public async Task Certificate_ofPython_verifiedByThisProgram()
    {
        using var folder = new TempFolder();
        using var key = SigningKey.CreateEphemeral();
        CertificateIssuer.Issue(SampleDrafts.Full(), key).Write(folder.Path);

        var output = await PythonProgram.RunAsync(
            Modules, Sign, TestContext.Current.CancellationToken, folder.Combine("certificate.dsse.json"), folder.Combine("python.json"), folder.Combine("python.pem"));

        Assert.SkipUnless(output is not null, "no cryptography package for Python here");
        var certificate = Certificate.Read(folder.Combine("python.json"));
        using var python = VerificationKey.ReadFile(folder.Combine("python.pem"));
        Check[] checks = [CertificateChecks.Signature(certificate), CertificateChecks.Signer(certificate, python.KeyId), CertificateChecks.Rules(certificate)];
        Assert.All(checks, static check => Assert.True(check.Outcome == CheckOutcome.Passed, check.Detail));
        Assert.Equal("request-of-python", certificate.Statement.Predicate.Requests[0]);
    }
}
