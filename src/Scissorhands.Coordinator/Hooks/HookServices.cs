using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Scissorhands.Grains.Cluster;
using Scissorhands.Grains.Deletion;
using Scissorhands.Grains.Store;
using Scissorhands.Messaging.Control;
using Scissorhands.Planning;

namespace Scissorhands.Coordinator.Hooks;

/// <summary>Registration of the hooks.</summary>
internal static class HookServices
{
    /// <summary>Adds the events that batches leave and what delivers them.</summary>
    /// <param name="services">The host's services.</param>
    /// <param name="hooks">The hooks.</param>
    /// <param name="intake">The virtual host that deletion requests arrive in; null for none.</param>
    /// <exception cref="InputException">A secret's file cannot be read, or a hook needs the virtual host.</exception>
    public static void AddHooks(this IServiceCollection services, IReadOnlyList<HookOptions> hooks, Uri? intake)
    {
        // Now, so that a secret that is missing ends the start and not, unseen, the first delivery.
        var signatures = hooks.Where(static h => h.Kind == HookKind.Webhook).ToDictionary(static h => h.Name, static h => WebhookSignature.Read(h.SecretFile!), StringComparer.Ordinal);
        if (intake is null && hooks.FirstOrDefault(static h => h.Kind == HookKind.RabbitMq) is { } without)
        {
            throw new InputException($"hook {without.Name}: kind rabbitmq publishes in the virtual host that {ControlBus.IntakeVariable} names; set it");
        }

        IPublicationHook Make(HookOptions hook, IServiceProvider provider) => hook.Kind switch
        {
            HookKind.Webhook => new WebhookHook(hook.Name, hook.Url!, signatures[hook.Name], provider.GetRequiredService<TimeProvider>()),
            HookKind.RabbitMq => new RabbitHook(hook.Name, intake!),
            _ => new MlflowHook(hook, provider.GetRequiredService<IDeletionStore>()),
        };
        services.AddSingleton(new PublicationEvents([.. hooks.Select(static h => new PublicationTarget(h.Name, h.Events))]));
        services.AddSingleton(provider => new HookDelivery(
            [.. hooks.Select(h => new ServedHook(Make(h, provider), h.Kind.ToString().ToLowerInvariant(), h.RetryAfter, h.LongestRetry))],
            provider.GetRequiredService<IOutbox>(),
            provider.GetRequiredService<TimeProvider>(),
            provider.GetRequiredService<LivenessOptions>(),
            provider.GetRequiredService<ILogger<HookDelivery>>()));
        services.AddHostedService(static provider => provider.GetRequiredService<HookDelivery>());
    }
}
