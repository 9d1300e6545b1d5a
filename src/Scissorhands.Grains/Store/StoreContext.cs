using Microsoft.EntityFrameworkCore;

namespace Scissorhands.Grains.Store;

/// <summary>The tables. Times are ticks in UTC: SQLite has no type for them, and PostgreSQL's keeps fewer digits.</summary>
internal sealed class StoreContext(DbContextOptions<StoreContext> options) : DbContext(options)
{
    public DbSet<RunRow> Runs => Set<RunRow>();

    public DbSet<EventRow> Events => Set<EventRow>();

    public DbSet<WriteRow> Writes => Set<WriteRow>();

    public DbSet<MessageRow> Messages => Set<MessageRow>();

    public DbSet<ModelRow> Models => Set<ModelRow>();

    public DbSet<VersionRow> Versions => Set<VersionRow>();

    public DbSet<BatchRow> Batches => Set<BatchRow>();

    public DbSet<RequestRow> Requests => Set<RequestRow>();

    public DbSet<TombstoneRow> Tombstones => Set<TombstoneRow>();

    public DbSet<DoneSampleRow> DoneSamples => Set<DoneSampleRow>();

    public DbSet<ForgottenContentRow> ForgottenContents => Set<ForgottenContentRow>();

    public DbSet<AuditInboxRow> AuditInbox => Set<AuditInboxRow>();

    public DbSet<AuditEntryRow> AuditEntries => Set<AuditEntryRow>();

    public DbSet<AuditHeadRow> AuditHeads => Set<AuditHeadRow>();

    public DbSet<SignedHeadRow> SignedHeads => Set<SignedHeadRow>();

    protected override void OnModelCreating(ModelBuilder modelBuilder)
    {
        modelBuilder.Entity<RunRow>(run =>
        {
            run.ToTable("run").HasKey(r => r.RunId);
            run.Property(r => r.RunId).HasColumnName("run_id");
            run.Property(r => r.Version).HasColumnName("version");
            run.Property(r => r.Status).HasColumnName("status").HasConversion<string>();
            run.Property(r => r.Pool).HasColumnName("pool");
            run.Property(r => r.ModelKey).HasColumnName("model_key");
            run.Property(r => r.OutputFolder).HasColumnName("output_folder");
            run.Property(r => r.SubmittedAt).HasColumnName("submitted_at");
            run.Property(r => r.Deadline).HasColumnName("deadline");
            run.Property(r => r.Order).HasColumnName("order_body");
            run.Property(r => r.State).HasColumnName("state");
            run.Property(r => r.Reason).HasColumnName("reason");
            run.Property(r => r.EventCount).HasColumnName("event_count");
        });
        modelBuilder.Entity<EventRow>(row =>
        {
            row.ToTable("run_event").HasKey(e => new { e.RunId, e.Sequence });
            row.Property(e => e.RunId).HasColumnName("run_id");
            row.Property(e => e.Sequence).HasColumnName("sequence").ValueGeneratedNever();
            row.Property(e => e.Time).HasColumnName("time");
            row.Property(e => e.Name).HasColumnName("name");
            row.Property(e => e.Fields).HasColumnName("fields");
        });
        modelBuilder.Entity<WriteRow>(row =>
        {
            row.ToTable("run_write").HasKey(w => new { w.RunId, w.Version });
            row.Property(w => w.RunId).HasColumnName("run_id");
            row.Property(w => w.Version).HasColumnName("version").ValueGeneratedNever();
            row.Property(w => w.WriteId).HasColumnName("write_id");
        });
        modelBuilder.Entity<MessageRow>(row =>
        {
            row.ToTable("outbox").HasKey(m => m.Id);
            row.Property(m => m.Id).HasColumnName("id").ValueGeneratedOnAdd();
            row.Property(m => m.Destination).HasColumnName("destination");
            row.Property(m => m.Type).HasColumnName("type");
            row.Property(m => m.Body).HasColumnName("body");
            row.Property(m => m.Claimer).HasColumnName("claimer");
            row.Property(m => m.ClaimId).HasColumnName("claim_id");
            row.Property(m => m.ClaimedUntil).HasColumnName("claimed_until");
        });
        OnDeletionCreating(modelBuilder);
    }

    private static void OnDeletionCreating(ModelBuilder modelBuilder)
    {
        modelBuilder.Entity<ModelRow>(row =>
        {
            row.ToTable("model").HasKey(m => m.Name);
            row.Property(m => m.Name).HasColumnName("name");
            row.Property(m => m.Version).HasColumnName("version");
            row.Property(m => m.DataSet).HasColumnName("data_set");
            row.Property(m => m.Body).HasColumnName("body");
            row.Property(m => m.CurrentVersion).HasColumnName("current_version");
            row.Property(m => m.LastBatch).HasColumnName("last_batch");
            row.Property(m => m.OpenBatch).HasColumnName("open_batch");
            row.Property(m => m.Forgotten).HasColumnName("forgotten");
            row.Property(m => m.WriteId).HasColumnName("write_id");
        });
        modelBuilder.Entity<VersionRow>(row =>
        {
            row.ToTable("model_version").HasKey(v => new { v.Model, v.Number });
            row.Property(v => v.Model).HasColumnName("model");
            row.Property(v => v.Number).HasColumnName("number").ValueGeneratedNever();
            row.Property(v => v.State).HasColumnName("state");
            row.Property(v => v.Body).HasColumnName("body");
        });
        modelBuilder.Entity<BatchRow>(row =>
        {
            row.ToTable("deletion_batch").HasKey(b => new { b.Model, b.Number });
            row.Property(b => b.Model).HasColumnName("model");
            row.Property(b => b.Number).HasColumnName("number").ValueGeneratedNever();
            row.Property(b => b.Phase).HasColumnName("phase");
            row.Property(b => b.Body).HasColumnName("body");
        });
        modelBuilder.Entity<RequestRow>(row =>
        {
            row.ToTable("deletion_request").HasKey(r => r.Id);
            row.Property(r => r.Id).HasColumnName("id");
            row.Property(r => r.Tenant).HasColumnName("tenant");
            row.Property(r => r.Model).HasColumnName("model");
            row.Property(r => r.State).HasColumnName("state");

            // The name is from when that was called accepted: programs of that time may be at work beside this one.
            row.Property(r => r.StoredAt).HasColumnName("accepted_at");
            row.Property(r => r.Deadline).HasColumnName("deadline");
            row.Property(r => r.Samples).HasColumnName("samples");
            row.Property(r => r.RetryAt).HasColumnName("retry_at");
            row.Property(r => r.QuarantinedAt).HasColumnName("quarantined_at");
            row.Property(r => r.BodyDigest).HasColumnName("body_digest");
            row.Property(r => r.Body).HasColumnName("body");
        });
        modelBuilder.Entity<TombstoneRow>(row =>
        {
            row.ToTable("tombstone").HasKey(t => new { t.Model, t.SampleId });
            row.Property(t => t.Model).HasColumnName("model");
            row.Property(t => t.SampleId).HasColumnName("sample_id");
            row.Property(t => t.Batch).HasColumnName("batch");
        });
        modelBuilder.Entity<DoneSampleRow>(row =>
        {
            row.ToTable("done_sample").HasKey(d => new { d.Model, d.RequestId, d.SampleId });
            row.Property(d => d.Model).HasColumnName("model");
            row.Property(d => d.RequestId).HasColumnName("request_id");
            row.Property(d => d.SampleId).HasColumnName("sample_id");
        });
        modelBuilder.Entity<ForgottenContentRow>(row =>
        {
            row.ToTable("forgotten_content").HasKey(c => new { c.Model, c.SampleId });
            row.Property(c => c.Model).HasColumnName("model");
            row.Property(c => c.SampleId).HasColumnName("sample_id");
            row.Property(c => c.Hash).HasColumnName("hash");
        });
        modelBuilder.Entity<AuditInboxRow>(row =>
        {
            row.ToTable("audit_inbox").HasKey(a => a.Id);
            row.Property(a => a.Id).HasColumnName("id").ValueGeneratedOnAdd();
            row.Property(a => a.Chain).HasColumnName("chain");
            row.Property(a => a.Time).HasColumnName("time");
            row.Property(a => a.Kind).HasColumnName("kind");
            row.Property(a => a.Body).HasColumnName("body");
        });
        modelBuilder.Entity<AuditEntryRow>(row =>
        {
            row.ToTable("audit_entry").HasKey(a => new { a.Chain, a.Sequence });
            row.Property(a => a.Chain).HasColumnName("chain");
            row.Property(a => a.Sequence).HasColumnName("sequence").ValueGeneratedNever();
            row.Property(a => a.Time).HasColumnName("time");
            row.Property(a => a.Kind).HasColumnName("kind");
            row.Property(a => a.Body).HasColumnName("body");
            row.Property(a => a.Previous).HasColumnName("previous");
            row.Property(a => a.Hash).HasColumnName("hash");
        });
        modelBuilder.Entity<SignedHeadRow>(row =>
        {
            row.ToTable("audit_signed_head").HasKey(a => a.Number);
            row.Property(a => a.Number).HasColumnName("number").ValueGeneratedOnAdd();
            row.Property(a => a.Chain).HasColumnName("chain");
            row.Property(a => a.Sequence).HasColumnName("sequence");
            row.Property(a => a.Time).HasColumnName("time");
            row.Property(a => a.KeyId).HasColumnName("key_id");
            row.Property(a => a.Envelope).HasColumnName("envelope");
        });
        modelBuilder.Entity<AuditHeadRow>(row =>
        {
            row.ToTable("audit_head").HasKey(a => a.Chain);
            row.Property(a => a.Chain).HasColumnName("chain");
            row.Property(a => a.Epoch).HasColumnName("epoch");
            row.Property(a => a.Sequence).HasColumnName("sequence");
            row.Property(a => a.Hash).HasColumnName("hash");
        });
    }
}
