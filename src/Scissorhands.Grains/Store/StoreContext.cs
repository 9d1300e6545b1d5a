using Microsoft.EntityFrameworkCore;

namespace Scissorhands.Grains.Store;

/// <summary>The tables. Times are ticks in UTC: SQLite has no type for them, and PostgreSQL's keeps fewer digits.</summary>
internal sealed class StoreContext(DbContextOptions<StoreContext> options) : DbContext(options)
{
    public DbSet<RunRow> Runs => Set<RunRow>();

    public DbSet<EventRow> Events => Set<EventRow>();

    public DbSet<WriteRow> Writes => Set<WriteRow>();

    public DbSet<MessageRow> Messages => Set<MessageRow>();

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
    }
}
