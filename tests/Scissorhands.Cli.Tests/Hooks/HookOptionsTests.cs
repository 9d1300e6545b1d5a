using Scissorhands.CommandLine.Configuration;
using Scissorhands.Coordinator.Hooks;
using Scissorhands.Grains.Deletion;
using Scissorhands.Planning;

namespace Scissorhands.Cli.Tests.Hooks;

/// <summary>Files of hooks and secrets, right and wrong.</summary>
public sealed class HookOptionsTests
{
    [Fact]
    public void Read_allKinds_takesValuesAndDefaults()
    {
        var hooks = Read(
            """
            hooks:
              - { name: deploy, kind: webhook, url: "https://example.org/x", secretFile: /s, retrySeconds: 1, longestRetrySeconds: 60.5 }
              - { name: bus, kind: rabbitmq, events: [dev.scissorhands.batch.failed] }
              - { name: registry, kind: mlflow, url: "http://mlflow:5000", alias: champion, source: "s3://b/{model}/{version}" }
            """);

        Assert.Equal([HookKind.Webhook, HookKind.RabbitMq, HookKind.Mlflow], hooks.Select(static h => h.Kind));
        Assert.Equal((TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(60.5)), (hooks[0].RetryAfter, hooks[0].LongestRetry));
        Assert.Equal([PublicationEvents.BatchFailed], hooks[1].Events);
        Assert.Equal([PublicationEvents.ModelPublished], hooks[2].Events);
        Assert.Equal(TimeSpan.FromHours(1), hooks[2].LongestRetry);
    }

    [Theory]
    [InlineData("hook: []", "hooks.yaml: expected one key, hooks")]
    [InlineData("hooks: [x]", "hooks[0]: expected keys")]
    [InlineData("hooks: [{ kind: rabbitmq }]", "hooks[0].name: missing")]
    [InlineData("hooks: [{ name: a, kind: mail }]", "hooks[0].kind: must be webhook, rabbitmq or mlflow")]
    [InlineData("hooks: [{ name: a, kind: rabbitmq }, { name: a, kind: rabbitmq }]", "hooks[1].name: there is a hook a already")]
    [InlineData("hooks: [{ name: a, kind: rabbitmq, url: 'https://x' }]", "hooks[0].url: not known; a hook of this kind has name, kind, events")]
    [InlineData("hooks: [{ name: a, kind: webhook, url: 'http://example.org', secretFile: s }]", "hooks[0].url: must begin with https://")]
    [InlineData("hooks: [{ name: a, kind: webhook, url: 'https://u:p@example.org', secretFile: s }]", "hooks[0].url: must be an address")]
    [InlineData("hooks: [{ name: a, kind: webhook, url: 'https://example.org' }]", "hooks[0].secretFile: missing")]
    [InlineData("hooks: [{ name: a, kind: mlflow, url: 'http://example.org', secretFile: s }]", "hooks[0].url: must begin with https://")]
    [InlineData("hooks: [{ name: a, kind: mlflow, url: 'http://example.org', events: [dev.scissorhands.batch.failed] }]", "hooks[0].events: must be a list of dev.scissorhands.model.published")]
    [InlineData("hooks: [{ name: a, kind: rabbitmq, retrySeconds: 0 }]", "hooks[0].retrySeconds: must be a number of seconds")]
    [InlineData("hooks: [{ name: a, kind: rabbitmq, retrySeconds: soon }]", "hooks[0].retrySeconds: must be a number of seconds")]
    [InlineData("hooks: [{ name: a, kind: rabbitmq, retrySeconds: 9, longestRetrySeconds: 3 }]", "hooks[0].longestRetrySeconds: must not be shorter")]
    public void Read_wrong_namesFileHookAndKey(string yaml, string expected)
    {
        var thrown = Assert.Throws<InputException>(() => Read(yaml));
        Assert.StartsWith("hooks.yaml: ", thrown.Message, StringComparison.Ordinal);
        Assert.Contains(expected, thrown.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("")]
    [InlineData("hunter2hunter2hunter2hunter2hunter2")]
    [InlineData("whsec_c2hvcnQ=")]
    [InlineData("whsec_!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!")]
    public void Secret_wrong_isRefusedAndNotShown(string content)
    {
        var path = Path.GetTempFileName();
        try
        {
            File.WriteAllText(path, content);
            var thrown = Assert.Throws<InputException>(() => WebhookSignature.Read(path));
            Assert.StartsWith(path, thrown.Message, StringComparison.Ordinal);
            Assert.True(content.Length == 0 || !thrown.Message.Contains(content, StringComparison.Ordinal));
        }
        finally
        {
            File.Delete(path);
        }
    }

    /// <summary>The example of the specification's own libraries: a fixed secret, id, time and payload.</summary>
    [Fact]
    public void Sign_twoSecrets_signsWithBoth()
    {
        var path = Path.GetTempFileName();
        try
        {
            File.WriteAllText(path, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\nwhsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n");
            var signatures = WebhookSignature.Read(path).Sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, """{"test": 2432232314}""").Split(' ');
            Assert.Equal(2, signatures.Length);
            Assert.Equal("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=", signatures[0]);
        }
        finally
        {
            File.Delete(path);
        }
    }

    private static IReadOnlyList<HookOptions> Read(string yaml) => HookOptions.Read(YamlLayers.ParseYaml(yaml, "hooks.yaml"), "hooks.yaml");
}
