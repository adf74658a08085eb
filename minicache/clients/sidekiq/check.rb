# Sidekiq's scheduled jobs: the poller moves due jobs by a script.
require 'sidekiq'
require 'sidekiq/api'
require 'sidekiq/scheduled'
url = "redis://#{ARGV[0]}:#{ARGV[1]}/0"
Sidekiq.configure_client { |config| config.redis = { url: url } }
class Job
  include Sidekiq::Worker
  def perform(number); end
end
Sidekiq.redis { |redis| redis.flushall }
Job.perform_async(1)
Job.perform_in(0.2, 2)
Job.perform_in(1000, 3)
raise 'two are scheduled' unless Sidekiq::ScheduledSet.new.size == 2
sleep 0.5
Sidekiq::Scheduled::Enq.new.enqueue_jobs
raise 'one is left' unless Sidekiq::ScheduledSet.new.size == 1
numbers = Sidekiq::Queue.new.map { |job| job.args.first }.sort
raise "queued: #{numbers}" unless numbers == [1, 2]
